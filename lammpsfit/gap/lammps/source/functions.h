// Gaussians in the distance, cut off: the functions R_a(r) that every part is made of.

#ifndef LAMMPSFIT_GAP_FUNCTIONS_H
#define LAMMPSFIT_GAP_FUNCTIONS_H

#include "reader.h"
#include "vec.h"

namespace lammpsfit_gap {

// R_a(r) = exp(-((r - centre_a) / width_a)^2) f(r), for each species of the neighbour
class Functions {
 public:
  double cutoff;
  int count;    // for each species

  Functions(Reader &reader, int n_species)
  {
    reader.expect("cutoff");
    cutoff = reader.positive();
    reader.expect("functions");
    count = reader.count(1, 1000);
    const std::size_t all = static_cast<std::size_t>(n_species) * count;
    reader.expect("centres");
    centre = reader.numbers(all);
    reader.expect("widths");
    one_over_width.resize(all);
    for (double &value : one_over_width) value = 1.0 / reader.positive();
  }

  // R_a and its slope, given the cutoff function and its own slope
  void evaluate(int species, int a, Vec r, Vec f, Vec df, Vec &R, Vec &dR) const
  {
    const int at = species * count + a;
    const double inverse = one_over_width[at];
    const Vec u = (r - centre[at]) * inverse;
    const Vec e = vexp(-u * u);
    R = e * f;
    dR = e * (df - (2.0 * inverse) * u * f);
  }

 private:
  std::vector<double> centre, one_over_width;
};

}    // namespace lammpsfit_gap

#endif
