#ifndef LAMMPSFIT_GAP_RADIAL_H
#define LAMMPSFIT_GAP_RADIAL_H

#include "functions.h"
#include "parts.h"

namespace lammpsfit_gap {

class Radial : public Part {
 public:
  Radial(Reader &reader, int n_species);
  int length() const override { return n_species * functions.count; }
  double cutoff() const override { return functions.cutoff; }
  void values(const Neighbours &around, Work &work, double *G) const override;
  void pull(Neighbours &around, Work &work, const double *dG) const override;
  void derivatives(const double *moments, int species, const double unit[3], double r,
                   double *J) const override;

 private:
  Functions functions;
  int n_species;
};

}    // namespace lammpsfit_gap

#endif
