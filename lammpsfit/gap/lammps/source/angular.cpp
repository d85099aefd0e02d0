// Angular descriptors: products of two moments of any radial functions.

#include "angular.h"

#include <algorithm>

namespace lammpsfit_gap {

namespace {

Projection projection_of_degrees(Reader &reader, int n_species)
{
  const Functions functions(reader, n_species);
  reader.expect("degrees");
  std::vector<int> degrees(reader.count(1, Harmonics::HIGHEST + 1));
  for (int &l : degrees) l = reader.count(0, Harmonics::HIGHEST);
  return Projection(functions, Harmonics(degrees), n_species);
}

}    // namespace

Angular::Angular(Reader &reader, int n_species) :
    projection(projection_of_degrees(reader, n_species)), harmonics(projection.harmonics),
    channels(projection.channels()), row(projection.row())
{
}

void Angular::values(const Neighbours &around, Work &work, double *G) const
{
  projection.sum(around, ring, work);
  invariants(work.moments.data(), G);
}

void Angular::pull(Neighbours &around, Work &work, const double *dG) const
{
  pull_invariants(work, dG);
  projection.pull(around, ring, work);
}

void Angular::derivatives(const double *A, int species, const double unit[3], double r,
                          double *J) const
{
  Buffer dA;
  dA.grow(3 * static_cast<std::size_t>(moments()));
  projection.derivatives(species, unit, r, dA.data());
  for (int axis = 0; axis < 3; axis++)
    changes(A, dA.data() + axis * moments(), J + axis * length());
}

// G_l,ab = sum_m A_alm A_blm for a <= b
void Angular::invariants(const double *A, double *G) const
{
  for (int k = 0; k < n_degrees(); k++) {
    const double *first = A + harmonics.first(k) * row;
    const int n = 2 * harmonics.degrees()[k] + 1;
    for (int a = 0; a < channels; a++) {
      const int from = a / W * W;
      for (int b = from; b < row; b += W) {
        Vec total = spread(0.0);
        for (int m = 0; m < n; m++) total += first[m * row + a] * load(first + m * row + b);
        for (int i = std::max(a - b, 0); i < std::min(W, channels - b); i++) *G++ = total[i];
      }
    }
  }
}

void Angular::changes(const double *A, const double *dA, double *dG) const
{
  for (int k = 0; k < n_degrees(); k++) {
    const double *first = A + harmonics.first(k) * row, *change = dA + harmonics.first(k) * row;
    const int n = 2 * harmonics.degrees()[k] + 1;
    for (int a = 0; a < channels; a++) {
      const int from = a / W * W;
      for (int b = from; b < row; b += W) {
        Vec total = spread(0.0);
        for (int m = 0; m < n; m++)
          total += first[m * row + a] * load(change + m * row + b) +
              change[m * row + a] * load(first + m * row + b);
        for (int i = std::max(a - b, 0); i < std::min(W, channels - b); i++) *dG++ = total[i];
      }
    }
  }
}

void Angular::pull_invariants(Work &work, const double *dG) const
{
  const double *A = work.moments.data();
  work.slope.grow(moments() + static_cast<std::size_t>(channels) * row);
  double *dA = work.slope.data(), *weights = dA + moments();
  for (int k = 0; k < n_degrees(); k++) {
    std::fill_n(weights, channels * row, 0.0);
    for (int a = 0; a < channels; a++)
      for (int b = a; b < channels; b++, dG++) {
        weights[a * row + b] += *dG;    // twice, where a = b
        weights[b * row + a] += *dG;
      }
    const int n = 2 * harmonics.degrees()[k] + 1;
    for (int m = harmonics.first(k); m < harmonics.first(k) + n; m++)
      for (int a = 0; a < row; a += W) {
        Vec total = spread(0.0);
        for (int b = 0; b < channels; b++) total += A[m * row + b] * load(weights + b * row + a);
        store(dA + m * row + a, total);
      }
  }
}

}    // namespace lammpsfit_gap
