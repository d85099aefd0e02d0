// The parts of a descriptor: what each of them is, and its derivatives.
//
// A new part is a class with these functions, and its name in read_part() of parts.cpp.

#ifndef LAMMPSFIT_GAP_PARTS_H
#define LAMMPSFIT_GAP_PARTS_H

#include "neighbours.h"
#include "reader.h"

#include <memory>

namespace lammpsfit_gap {

// What a part keeps of one atom between values() and pull().
struct Work {
  Buffer neighbours;    // a few vectors of each neighbour
  Buffer moments;       // sums over neighbours, of which the descriptors are functions
  Buffer slope;         // derivatives of the energy in them
  Buffer scratch;       // whatever else a part needs room for
};

class Part {
 public:
  virtual ~Part() = default;

  virtual int length() const = 0;
  virtual double cutoff() const = 0;
  int ring = 0;    // which of the cutoffs of the neighbours, in increasing order, is its own

  // The descriptors of an atom, length() of them.
  virtual void values(const Neighbours &around, Work &work, double *G) const = 0;

  // Adds the derivatives of the energy in the vectors to the neighbours to their slopes, given
  // those in the descriptors.
  virtual void pull(Neighbours &around, Work &work, const double *dG) const = 0;

  // Numbers of an atom, beside its neighbours, that derivatives of its descriptors depend on.
  virtual int moments() const { return 0; }

  // Derivatives of the descriptors of an atom with these moments in the unit-less vector to a
  // neighbour of a species, J[3][length()].
  virtual void derivatives(const double *moments, int species, const double unit[3], double r,
                           double *J) const = 0;
};

std::unique_ptr<Part> read_part(Reader &reader, int n_species);

}    // namespace lammpsfit_gap

#endif
