#ifndef LAMMPSFIT_GAP_INVARIANTS_H
#define LAMMPSFIT_GAP_INVARIANTS_H

#include "projection.h"

namespace lammpsfit_gap {

// First to third order in the moments of one radial function: see invariants.py, whose order they
// have.
class Invariants : public Part {
 public:
  Invariants(Reader &reader, int n_species);
  int length() const override { return count * each; }
  double cutoff() const override { return projection.functions.cutoff; }
  int moments() const override { return projection.size(); }
  void values(const Neighbours &around, Work &work, double *G) const override;
  void pull(Neighbours &around, Work &work, const double *dG) const override;
  void derivatives(const double *moments, int species, const double unit[3], double r,
                   double *J) const override;

 private:
  struct Triple {
    int a, b, c;    // degrees
  };
  Projection projection;
  const int count, n_species, row;
  int pair_degree, triple_degree;
  int each;                        // descriptors of a radial function
  int points;                      // of the sphere, padded
  std::vector<Triple> triples;
  Buffer weights, Y;               // of the points: [points], [harmonic][points]

  void read_sphere(Reader &reader);
  void densities(const double *A, int channel, double *rho) const;
  double product(const double *A, const double *B, int one, int other, int l) const;
  void add_slopes(const Triple &triple, double slope, const double *rho, double *drho) const;
  double change(const Triple &triple, const double *rho, const double *drho) const;
  void changes(const double *A, const double *dA, int species, double *rho, double *dG) const;
};

}    // namespace lammpsfit_gap

#endif
