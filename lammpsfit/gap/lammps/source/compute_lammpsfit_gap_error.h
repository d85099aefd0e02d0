// compute ID group lammpsfit/gap/error [energy]
//
// Without a keyword an array: 1 the length of the vector of errors of the force, eV/Å, 2 the error
// of the local energy, eV. With `energy` only the latter, as a vector, in far less time.

#ifndef LMP_COMPUTE_LAMMPSFIT_GAP_ERROR_H
#define LMP_COMPUTE_LAMMPSFIT_GAP_ERROR_H

#include "compute.h"
#include "neighbours.h"

#include <vector>

namespace LAMMPS_NS {

class PairLammpsfitGap;

class ComputeLammpsfitGapError : public Compute {
 public:
  ComputeLammpsfitGapError(class LAMMPS *, int, char **);
  ~ComputeLammpsfitGapError() override;
  void init() override;
  void compute_peratom() override;
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  double memory_usage() override;

 private:
  PairLammpsfitGap *pair = nullptr;
  bool energy_only = false;
  int nmax = 0;
  lammpsfit_gap::Neighbours around;
  std::vector<double> described;    // of each atom, ghosts too: z, then the moments
  std::vector<double> J;

  void describe_all();
  double force_error(int i);
};

}    // namespace LAMMPS_NS

#endif
