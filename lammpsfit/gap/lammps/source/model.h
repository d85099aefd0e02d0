// A GAP as it stands in a model.gap: descriptors, and the sum over centres.

#ifndef LAMMPSFIT_GAP_MODEL_H
#define LAMMPSFIT_GAP_MODEL_H

#include "centres.h"
#include "core.h"
#include "errors.h"
#include "parts.h"

#include <memory>
#include <string>
#include <vector>

namespace lammpsfit_gap {

constexpr int FORMAT = 1;    // of model.gap

class Model {
 public:
  // Throws a ModelError.
  explicit Model(const std::string &text);

  int species_index(const std::string &name) const;    // -1 where it is none of its
  double cutoff() const { return cutoffs.back(); }
  int length() const { return n_descriptors; }
  int gaussian() const { return n_gaussian; }    // the first so many enter the kernel
  int moments() const { return n_moments; }

  // Local energies and the derivatives in the vectors to all neighbours, which are left in the
  // slopes, of some atoms of one species: at most BATCH of them.
  void evaluate(int species, int n, Neighbours *around, double *energies);

  // Descriptors z (length() of them) of one atom, and the moments() they are made of.
  void describe(const Neighbours &around, double *z, double *kept);

  // Derivatives of z in the vector to a neighbour, J[3][length()].
  void derivatives(const double *kept, int species, const double unit[3], double r, double *J);

  std::vector<std::string> species;
  std::vector<double> cutoffs;       // of the parts, increasing
  std::unique_ptr<Errors> errors;    // none where the file has none

 private:
  std::vector<double> alone;    // energy of an atom of each species
  std::vector<std::unique_ptr<Part>> parts;
  std::vector<double> offset, weight;    // z = (G - offset) * weight
  std::vector<Centres> centres;          // of each species
  std::unique_ptr<Core> core;            // none where the file has none
  std::vector<double> weights;           // of the others, for each species
  int n_descriptors = 0, n_gaussian = 0, n_moments = 0;
  std::vector<Work> work[BATCH];
  std::vector<double> G, dz, J_part;
  Buffer z, slope, moments_of_part;    // vectors are loaded from these: they are aligned

  void read_parts(Reader &reader);
  void read_centres(Reader &reader);
  void scaled(const Neighbours &around, std::vector<Work> &work);
};

}    // namespace lammpsfit_gap

#endif
