// The sum over centres, E(z) = sum_m k_m [a_m + b_m.(z - z_m)] with k_m = exp(-|z - z_m|^2 / 2).
//
// With a long theta all k_m are nearly one and the weights are huge: their sum would lose up to ten
// digits. So k_m is taken as 1 + e_m, and what is left without the e_m is summed once:
//   E(z) = c + l.z + sum_m e_m A_m(z),   A_m(z) = a_m + b_m.(z - z_m)
//   dE/dz = l + q + M z - E(z) z + sum_m e_m [b_m + A_m(z) z_m]

#ifndef LAMMPSFIT_GAP_CENTRES_H
#define LAMMPSFIT_GAP_CENTRES_H

#include "vec.h"

#include <vector>

namespace lammpsfit_gap {

constexpr int BATCH = 4;    // atoms that are done at a time, so that a centre is fetched once

class Centres {
 public:
  explicit Centres(int d = 0) : d(d), row(padded(d)) {}

  // The next centre: z and b (or none), d numbers each.
  void add(double a, const double *z, const double *b);
  void finish();    // after the last one
  int size() const { return static_cast<int>(energy.size()); }

  // Energies of a batch, and their derivatives in z; z and the slopes are at [d][BATCH].
  void evaluate(const double *z, double *energies, double *slopes);

  // Of BATCH vectors at [d][BATCH]: k_m of the first, then z_m.v of each of the others, as rows of
  // capacity().
  void products(const double *v, double *out) const;
  int capacity() const { return static_cast<int>(square.size()); }

 private:
  static constexpr int PANEL = 2 * W;    // centres whose products stay in registers

  int d, row;
  bool linear = false;    // whether there are b
  std::vector<double> energy, raw_z, raw_b;
  // panels: [panel][d][PANEL] to multiply a z by, [panel][PANEL][row] to add to a slope
  Buffer across, across_b, along, along_b, square, constant, gradient;
  double plain = 0.0;             // c
  Buffer slope, pull, matrix;     // l, q and the columns of M

  void sum_up();
  template <bool LINEAR> void begin(const double *z, double *energies);
  template <bool LINEAR> void evaluate_panels(const double *z, double *energies, double *slopes);
};

}    // namespace lammpsfit_gap

#endif
