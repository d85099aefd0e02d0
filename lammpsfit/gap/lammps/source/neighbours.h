// The neighbours of one atom, as vectors: one species after the other, near ones first.

#ifndef LAMMPSFIT_GAP_NEIGHBOURS_H
#define LAMMPSFIT_GAP_NEIGHBOURS_H

#include "vec.h"

#include <vector>

namespace lammpsfit_gap {

// Neighbours of a species stand at [begin, end), both multiples of W; those that only fill up lie
// beyond every cutoff, and have the index -1. Those within the k-th smallest cutoff stand before
// near[k].
struct Group {
  int begin, end;
  std::vector<int> near;
};

class Neighbours {
 public:
  // cutoffs: those of the parts, increasing
  void set_up(int n_species, const std::vector<double> &cutoffs);

  // The next atom. Then add() each neighbour within the largest cutoff, then finish().
  void clear() { found = 0; }
  void reserve(int n);
  void add(int index, int species, double dx, double dy, double dz, double r2)
  {
    raw_index[found] = index;
    raw_species[found] = species;
    double *at = &raw[4 * found++];
    at[0] = dx;
    at[1] = dy;
    at[2] = dz;
    at[3] = r2;
  }
  void finish();

  int stride() const { return capacity; }
  int size() const { return filled; }
  const double *x() const { return row(0); }    // unit vectors
  const double *y() const { return row(1); }
  const double *z() const { return row(2); }
  const double *r() const { return row(3); }
  const double *inverse_r() const { return row(4); }
  const double *unit(int k) const { return row(k); }
  double *slope(int k) { return &vectors[(5 + k) * static_cast<std::size_t>(capacity)]; }

  std::vector<Group> groups;    // by species
  std::vector<int> index;       // of the atoms, -1 where nobody is

 private:
  std::vector<double> cutoffs;
  std::vector<int> raw_index, raw_species, bucket, start;
  std::vector<double> raw;
  Buffer vectors;
  int capacity = 0, room = 0, found = 0, filled = 0;

  const double *row(int k) const { return vectors.data() + k * static_cast<std::size_t>(capacity); }
};

}    // namespace lammpsfit_gap

#endif
