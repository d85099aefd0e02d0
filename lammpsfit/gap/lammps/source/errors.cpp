#include "errors.h"

#include <algorithm>
#include <cmath>

namespace lammpsfit_gap {

Errors::Errors(Reader &reader, int n_species, int d, int all) :
    d(d), descriptors(all), chosen(n_species, Centres(d))
{
  reader.expect("amplitude");
  const double amplitude = reader.positive();
  variance = amplitude * amplitude;
  reader.expect("chosen");
  std::vector<double> z;
  m = 0;
  for (Centres &some : chosen) {
    first.push_back(m);
    const int count = reader.count(0, 1000000);
    for (int i = 0; i < count; i++) {
      z = reader.numbers(d);
      some.add(0.0, z.data(), nullptr);
    }
    some.finish();
    m += count;
  }
  p = m + n_species * (descriptors - d);
  row = padded(p);
  read_triangle(reader, "prior", m, prior);
  read_triangle(reader, "posterior", p, posterior);
  k.grow(3 * static_cast<std::size_t>(row));
  solved.grow(row);
  vectors.grow(static_cast<std::size_t>(d) * BATCH);
}

void Errors::read_triangle(Reader &reader, const char *name, int n, Buffer &to) const
{
  reader.expect(name);
  to.grow(static_cast<std::size_t>(n) * row);
  for (int i = 0; i < n; i++)
    for (int j = 0; j <= i; j++) to[static_cast<std::size_t>(i) * row + j] = reader.number();
}

// Adds the covariances of an energy (no J), or of minus the derivatives of one, with all u, and
// their shares in the weights.
void Errors::covariances(int species, const double *z, const double *J)
{
  const Centres &some = chosen[species];
  const int stride = some.capacity();
  product.grow(BATCH * static_cast<std::size_t>(stride));
  double own[3] = {0.0, 0.0, 0.0};
  for (int i = 0; i < d; i++) {
    vectors[i * BATCH] = z[i];
    for (int axis = 0; axis < 3; axis++) {
      const double slope = J ? J[axis * descriptors + i] : 0.0;
      vectors[i * BATCH + 1 + axis] = slope;
      own[axis] += z[i] * slope;
    }
  }
  some.products(vectors.data(), product.data());
  for (int i = 0; i < some.size(); i++) {
    const double kernel = variance * product[i];
    if (!J) k[first[species] + i] += kernel;
    for (int axis = 0; J && axis < 3; axis++)
      k[axis * row + first[species] + i] -=
          kernel * (product[(1 + axis) * static_cast<std::size_t>(stride) + i] - own[axis]);
  }
  const int n_linear = descriptors - d;
  double *shares = k.data() + m + species * n_linear;
  for (int i = 0; i < n_linear; i++) {
    if (!J) shares[i] += z[d + i];
    for (int axis = 0; J && axis < 3; axis++)
      shares[axis * row + i] -= J[axis * descriptors + d + i];
  }
}

// |T^-1 k|^2 of a lower triangle T
double Errors::squared(const Buffer &triangle, int n, const double *right)
{
  double total = 0.0;
  std::fill_n(solved.data(), row, 0.0);
  for (int i = 0; i < n; i++) {
    const double *line = triangle.data() + static_cast<std::size_t>(i) * row;
    Vec dot = spread(0.0);
    for (int j = 0; j < i; j += W) dot += load(line + j) * load(solved.data() + j);
    // what stands right of the diagonal is zero, and so is what is not solved yet
    solved[i] = (right[i] - sum(dot)) / line[i];
    total += solved[i] * solved[i];
  }
  return total;
}

double Errors::energy(int species, const double *z)
{
  std::fill_n(k.data(), row, 0.0);
  covariances(species, z, nullptr);
  const double left = std::max(variance - squared(prior, m, k.data()), 0.0) +
      squared(posterior, p, k.data());
  return std::sqrt(left);
}

void Errors::forces(const std::vector<Term> &terms, double error[3])
{
  std::fill_n(k.data(), 3 * row, 0.0);
  for (const Term &term : terms) covariances(term.species, term.z, term.J);
  double cov[3];
  before(terms, cov);
  for (int axis = 0; axis < 3; axis++) {
    const double *right = k.data() + axis * row;
    const double untold = variance * cov[axis] - squared(prior, m, right);
    const double left = std::max(untold, 0.0) + squared(posterior, p, right);
    error[axis] = std::sqrt(left);
  }
}

// cov(f, f) / variance = sum over two terms of k [J.J' - (J.d)(J'.d)],  d = z - z'
void Errors::before(const std::vector<Term> &terms, double cov[3])
{
  const int n = static_cast<int>(terms.size()), wide = padded(d);
  rows.grow(static_cast<std::size_t>(n) * 4 * wide);
  for (int t = 0; t < n; t++) {
    double *to = rows.data() + static_cast<std::size_t>(t) * 4 * wide;
    std::copy_n(terms[t].z, d, to);
    for (int axis = 0; axis < 3; axis++) std::copy_n(terms[t].J + axis * descriptors, d, to + (1 + axis) * wide);
    for (int v = 0; v < 4; v++) std::fill(to + v * wide + d, to + (v + 1) * wide, 0.0);
  }
  cov[0] = cov[1] = cov[2] = 0.0;
  for (int s = 0; s < n; s++) {
    const double *one = rows.data() + static_cast<std::size_t>(s) * 4 * wide;
    for (int t = 0; t <= s; t++) {
      if (terms[s].species != terms[t].species) continue;
      const double *other = rows.data() + static_cast<std::size_t>(t) * 4 * wide;
      Vec square = spread(0.0), both[3], from[3], to[3];
      for (int axis = 0; axis < 3; axis++) both[axis] = from[axis] = to[axis] = square;
      for (int i = 0; i < wide; i += W) {
        const Vec apart = load(one + i) - load(other + i);
        square += apart * apart;
        for (int axis = 0; axis < 3; axis++) {
          const Vec a = load(one + (1 + axis) * wide + i), b = load(other + (1 + axis) * wide + i);
          both[axis] += a * b;
          from[axis] += a * apart;
          to[axis] += b * apart;
        }
      }
      const double kernel = (s == t ? 1.0 : 2.0) * std::exp(-0.5 * sum(square));
      for (int axis = 0; axis < 3; axis++)
        cov[axis] += kernel * (sum(both[axis]) - sum(from[axis]) * sum(to[axis]));
    }
  }
}

}    // namespace lammpsfit_gap
