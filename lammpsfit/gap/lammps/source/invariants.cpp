// Invariants: products of up to three moments of one radial function.

#include "invariants.h"

#include <algorithm>

namespace lammpsfit_gap {

namespace {

Projection projection_up_to_a_degree(Reader &reader, int n_species)
{
  const Functions functions(reader, n_species);
  reader.expect("highest");
  std::vector<int> degrees(reader.count(0, Harmonics::HIGHEST) + 1);
  for (std::size_t l = 0; l < degrees.size(); l++) degrees[l] = static_cast<int>(l);
  return Projection(functions, Harmonics(degrees), n_species);
}

}    // namespace

Invariants::Invariants(Reader &reader, int n_species) :
    projection(projection_up_to_a_degree(reader, n_species)), count(projection.functions.count),
    n_species(n_species), row(projection.row())
{
  const int highest = static_cast<int>(projection.harmonics.degrees().size()) - 1;
  reader.expect("pairs");
  pair_degree = reader.count(0, highest);
  reader.expect("triples");
  triple_degree = reader.count(0, highest);
  for (int a = 0; a <= triple_degree; a++)
    for (int b = a; b <= triple_degree; b++)
      for (int c = b; c <= std::min(a + b, triple_degree); c++)
        if ((a + b + c) % 2 == 0) triples.push_back({a, b, c});
  each = n_species + (pair_degree + 1) * n_species * (n_species + 1) / 2 +
      static_cast<int>(triples.size()) * n_species;
  read_sphere(reader);
}

// Points and their weights, which integrate products of three densities exactly.
void Invariants::read_sphere(Reader &reader)
{
  reader.expect("sphere");
  const int n = reader.count(1, 100000), n_Y = (triple_degree + 1) * (triple_degree + 1);
  points = padded(n);
  weights.grow(points);
  Y.grow(static_cast<std::size_t>(n_Y) * points);
  for (int q = 0; q < n; q++) {
    weights[q] = reader.number();
    for (int h = 0; h < n_Y; h++) Y[static_cast<std::size_t>(h) * points + q] = reader.number();
  }
}

// rho[l][points] = sum_m A_lm Y_lm
void Invariants::densities(const double *A, int channel, double *rho) const
{
  std::fill_n(rho, (triple_degree + 1) * points, 0.0);
  for (int l = 0; l <= triple_degree; l++, rho += points)
    for (int h = l * l; h < (l + 1) * (l + 1); h++) {
      const double moment = A[h * row + channel];
      for (int q = 0; q < points; q += W)
        store(rho + q, load(rho + q) + moment * load(Y.data() + h * points + q));
    }
}

void Invariants::values(const Neighbours &around, Work &work, double *G) const
{
  projection.sum(around, ring, work);
  const double *A = work.moments.data();
  Buffer &rho = work.scratch;
  rho.grow(2 * static_cast<std::size_t>(triple_degree + 1) * points);
  for (int n = 0; n < count; n++) {
    for (int s = 0; s < n_species; s++) *G++ = A[s * count + n];
    for (int s = 0; s < n_species; s++)
      for (int t = s; t < n_species; t++)
        for (int l = 0; l <= pair_degree; l++) *G++ = product(A, A, s * count + n, t * count + n, l);
    for (int s = 0; s < n_species; s++) {
      densities(A, s * count + n, rho.data());
      for (const Triple &triple : triples) {
        const double *a = rho.data() + triple.a * points, *b = rho.data() + triple.b * points,
                     *c = rho.data() + triple.c * points;
        Vec total = spread(0.0);
        for (int q = 0; q < points; q += W)
          total += load(weights.data() + q) * load(a + q) * load(b + q) * load(c + q);
        *G++ = ::lammpsfit_gap::sum(total);
      }
    }
  }
}

// sum_m A_lm B_lm of two channels
double Invariants::product(const double *A, const double *B, int one, int other, int l) const
{
  double total = 0.0;
  for (int h = l * l; h < (l + 1) * (l + 1); h++) total += A[h * row + one] * B[h * row + other];
  return total;
}

void Invariants::pull(Neighbours &around, Work &work, const double *dG) const
{
  work.slope.grow(moments());
  std::fill_n(work.slope.data(), moments(), 0.0);
  const double *A = work.moments.data();
  double *dA = work.slope.data();
  const int n_rho = (triple_degree + 1) * points;
  double *rho = work.scratch.data(), *drho = rho + n_rho;
  for (int n = 0; n < count; n++) {
    for (int s = 0; s < n_species; s++) dA[s * count + n] += *dG++;
    for (int s = 0; s < n_species; s++)
      for (int t = s; t < n_species; t++)
        for (int l = 0; l <= pair_degree; l++, dG++)
          for (int h = l * l; h < (l + 1) * (l + 1); h++) {
            dA[h * row + s * count + n] += *dG * A[h * row + t * count + n];
            dA[h * row + t * count + n] += *dG * A[h * row + s * count + n];
          }
    for (int s = 0; s < n_species; s++) {
      densities(A, s * count + n, rho);
      std::fill_n(drho, n_rho, 0.0);
      for (const Triple &triple : triples) add_slopes(triple, *dG++, rho, drho);
      for (int l = 0; l <= triple_degree; l++)
        for (int h = l * l; h < (l + 1) * (l + 1); h++) {
          Vec total = spread(0.0);
          for (int q = 0; q < points; q += W)
            total += load(drho + l * points + q) * load(Y.data() + h * points + q);
          dA[h * row + s * count + n] += ::lammpsfit_gap::sum(total);
        }
    }
  }
  projection.pull(around, ring, work);
}

void Invariants::add_slopes(const Triple &triple, double slope, const double *rho,
                            double *drho) const
{
  const int a = triple.a * points, b = triple.b * points, c = triple.c * points;
  for (int q = 0; q < points; q += W) {
    const Vec weight = slope * load(weights.data() + q);
    const Vec at_a = load(rho + a + q), at_b = load(rho + b + q), at_c = load(rho + c + q);
    store(drho + a + q, load(drho + a + q) + weight * at_b * at_c);
    store(drho + b + q, load(drho + b + q) + weight * at_a * at_c);
    store(drho + c + q, load(drho + c + q) + weight * at_a * at_b);
  }
}

void Invariants::derivatives(const double *A, int species, const double unit[3], double r,
                             double *J) const
{
  Buffer dA, rho;
  dA.grow(3 * static_cast<std::size_t>(moments()));
  const int n_rho = (triple_degree + 1) * points;
  rho.grow(2 * static_cast<std::size_t>(n_rho));
  projection.derivatives(species, unit, r, dA.data());
  for (int axis = 0; axis < 3; axis++)
    changes(A, dA.data() + axis * moments(), species, rho.data(), J + axis * length());
}

// Changes dG of the invariants with those of the moments, which are of one species only.
void Invariants::changes(const double *A, const double *dA, int species, double *rho,
                         double *dG) const
{
  double *drho = rho + (triple_degree + 1) * points;
  for (int n = 0; n < count; n++) {
    for (int s = 0; s < n_species; s++) *dG++ = dA[s * count + n];
    for (int s = 0; s < n_species; s++)
      for (int t = s; t < n_species; t++)
        for (int l = 0; l <= pair_degree; l++)
          *dG++ = product(dA, A, s * count + n, t * count + n, l) +
              product(dA, A, t * count + n, s * count + n, l);
    for (int s = 0; s < n_species; s++) {
      if (s == species) {
        densities(A, s * count + n, rho);
        densities(dA, s * count + n, drho);
      }
      for (const Triple &triple : triples) *dG++ = s == species ? change(triple, rho, drho) : 0.0;
    }
  }
}

double Invariants::change(const Triple &triple, const double *rho, const double *drho) const
{
  const int a = triple.a * points, b = triple.b * points, c = triple.c * points;
  Vec total = spread(0.0);
  for (int q = 0; q < points; q += W) {
    const Vec at_a = load(rho + a + q), at_b = load(rho + b + q), at_c = load(rho + c + q);
    total += load(weights.data() + q) *
        (load(drho + a + q) * at_b * at_c + load(drho + b + q) * at_a * at_c +
         load(drho + c + q) * at_a * at_b);
  }
  return ::lammpsfit_gap::sum(total);
}

}    // namespace lammpsfit_gap
