// pair_style lammpsfit/gap:   pair_coeff * * model.gap Al ...

#ifndef LMP_PAIR_LAMMPSFIT_GAP_H
#define LMP_PAIR_LAMMPSFIT_GAP_H

#include "model.h"
#include "pair.h"

#include <memory>
#include <vector>

namespace LAMMPS_NS {

class PairLammpsfitGap : public Pair {
 public:
  explicit PairLammpsfitGap(class LAMMPS *);
  ~PairLammpsfitGap() override;
  void compute(int, int) override;
  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override;
  double memory_usage() override;

  // What the compute of errors asks for.
  lammpsfit_gap::Model &gap() { return *model; }
  const std::string &file() const { return name; }
  int species_of(int type) const { return species[type]; }    // -1 for NULL
  void find_neighbours(int i, lammpsfit_gap::Neighbours &around) const;

 private:
  std::unique_ptr<lammpsfit_gap::Model> model;
  std::string name;
  std::vector<int> species;                      // of each type
  std::vector<std::vector<int>> atoms;           // of each species, those of this rank
  lammpsfit_gap::Neighbours around[lammpsfit_gap::BATCH];

  void allocate();
  void add_forces(int i, lammpsfit_gap::Neighbours &of, double energy);
};

}    // namespace LAMMPS_NS

#endif
