// Real spherical harmonics with sum_m Y_lm(u) Y_lm(v) = P_l(u.v), as polynomials of unit vectors.

#ifndef LAMMPSFIT_GAP_HARMONICS_H
#define LAMMPSFIT_GAP_HARMONICS_H

#include "vec.h"

#include <vector>

namespace lammpsfit_gap {

class Harmonics {
 public:
  static constexpr int HIGHEST = 12;

  explicit Harmonics(std::vector<int> degrees);
  int size() const { return count; }
  const std::vector<int> &degrees() const { return which; }
  int first(int k) const { return starts[k]; }    // of the k-th degree, which has 2 l + 1

  // Y of unit vectors: for each degree m = 0, then cosine and sine of m = 1, 2, ...
  void values(Vec x, Vec y, Vec z, Vec *Y) const;

  // Derivatives of sum_lm T_lm Y_lm in x, y and z, which are taken for free.
  void pull(Vec x, Vec y, Vec z, const Vec *T, Vec g[3]) const;

 private:
  struct Term {
    int l, at;      // at: of m = 0 of that degree
    double norm[HIGHEST + 1];
  };
  std::vector<int> which, starts;
  std::vector<Term> terms;
  int count, highest;
  double up[HIGHEST + 1][HIGHEST + 1], down[HIGHEST + 1][HIGHEST + 1];
  double diagonal[HIGHEST + 2];

  // cos m phi and sin m phi by rho^m, and P_lm(z) / (1 - z^2)^(m/2) at [m][l]
  struct Powers {
    Vec c[HIGHEST + 1], s[HIGHEST + 1], P[HIGHEST + 2][HIGHEST + 1];
  };
  void powers(Vec x, Vec y, Vec z, Powers &p) const;
};

}    // namespace lammpsfit_gap

#endif
