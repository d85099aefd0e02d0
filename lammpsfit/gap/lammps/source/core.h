// Core repulsion of pairs nearer than any the model was fitted to: see core.py, whose numbers it
// has.

#ifndef LAMMPSFIT_GAP_CORE_H
#define LAMMPSFIT_GAP_CORE_H

#include "neighbours.h"
#include "reader.h"

#include <vector>

namespace lammpsfit_gap {

class Core {
 public:
  Core(Reader &reader, int n_species);

  // Half of the energy of an atom's pairs; adds half of the derivatives in the vectors to them.
  double add(int species, Neighbours &around) const;

 private:
  struct Pair {
    double strength, rate;    // C_e Z Z', and what the distance is measured in
    double A, B, C;           // of the switch
  };
  double inner, outer;
  int n_species;
  std::vector<Pair> pairs;

  static void screened(const Pair &pair, double r, double found[3]);
};

}    // namespace lammpsfit_gap

#endif
