#ifndef LAMMPSFIT_GAP_ANGULAR_H
#define LAMMPSFIT_GAP_ANGULAR_H

#include "projection.h"

namespace lammpsfit_gap {

class Angular : public Part {
 public:
  Angular(Reader &reader, int n_species);
  int length() const override { return n_degrees() * channels * (channels + 1) / 2; }
  double cutoff() const override { return projection.functions.cutoff; }
  int moments() const override { return projection.size(); }
  void values(const Neighbours &around, Work &work, double *G) const override;
  void pull(Neighbours &around, Work &work, const double *dG) const override;
  void derivatives(const double *moments, int species, const double unit[3], double r,
                   double *J) const override;

 private:
  Projection projection;
  const Harmonics &harmonics;
  const int channels, row;

  int n_degrees() const { return static_cast<int>(harmonics.degrees().size()); }
  void invariants(const double *A, double *G) const;
  // Changes dG of the invariants with those of the moments, dA.
  void changes(const double *A, const double *dA, double *dG) const;
  // Derivatives of the energy in the moments, into work.slope, given those in the invariants.
  void pull_invariants(Work &work, const double *dG) const;
};

}    // namespace lammpsfit_gap

#endif
