#ifndef LAMMPSFIT_GAP_PROJECTION_H
#define LAMMPSFIT_GAP_PROJECTION_H

#include "functions.h"
#include "harmonics.h"
#include "parts.h"

namespace lammpsfit_gap {

// The moments A_alm = sum_j R_a(r_ij) Y_lm(j - i) of an atom, at [harmonic][row]; a row has the
// functions of one species of the neighbour after the other, and is filled up with zeros.
class Projection {
 public:
  static constexpr int MOST = (Harmonics::HIGHEST + 1) * (Harmonics::HIGHEST + 1);

  Projection(const Functions &functions, const Harmonics &harmonics, int n_species);
  int channels() const { return n_species * functions.count; }
  int row() const { return padded(channels()); }
  int size() const { return harmonics.size() * row(); }

  // Sums up the moments, into work.moments.
  void sum(const Neighbours &around, int ring, Work &work) const;

  // Adds to the slopes of the neighbours, given the derivatives in the moments in work.slope.
  void pull(Neighbours &around, int ring, const Work &work) const;

  // Derivatives of the moments in the vector to a neighbour, dA[3][size()].
  void derivatives(int species, const double unit[3], double r, double *dA) const;

  const Functions functions;
  const Harmonics harmonics;
  const int n_species;
};

}    // namespace lammpsfit_gap

#endif
