// Predicted errors: standard deviations of local energies and forces, without noise of labels.

#ifndef LAMMPSFIT_GAP_ERRORS_H
#define LAMMPSFIT_GAP_ERRORS_H

#include "centres.h"
#include "reader.h"

#include <vector>

namespace lammpsfit_gap {

// One local energy that depends on where an atom is: the scaled descriptors, and their derivatives
// in the place of that atom, J[3][all].
struct Term {
  int species;
  const double *z, *J;
};

// With k the covariances of the Gaussian part of a quantity f with the local energies u of a few
// atoms, and h those k and the shares of f in the weights of the linear part,
//   var(f) = cov(f, f) - |L^-1 k|^2 + |M^-1 h|^2
// with cov(f, f) of the Gaussian part, and lower triangles L of before the fit and M of after it:
// see posterior.py, which makes them.
class Errors {
 public:
  // d of all descriptors enter the kernel, the others the linear part.
  Errors(Reader &reader, int n_species, int d, int all);

  double energy(int species, const double *z);
  void forces(const std::vector<Term> &terms, double error[3]);

 private:
  int d, descriptors;
  int m, p, row;      // atoms, weights in all, and those padded
  double variance;    // of a local energy before the fit
  std::vector<Centres> chosen;
  std::vector<int> first;      // of the atoms of each species
  Buffer prior, posterior;     // the triangles L and M
  Buffer vectors, product, k, solved, rows;

  void read_triangle(Reader &reader, const char *name, int n, Buffer &to) const;
  void covariances(int species, const double *z, const double *J);
  double squared(const Buffer &triangle, int n, const double *right);
  void before(const std::vector<Term> &terms, double cov[3]);
};

}    // namespace lammpsfit_gap

#endif
