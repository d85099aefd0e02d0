// Radial descriptors: G_a = sum_j R_a(r_ij), for each species of the neighbour.

#include "functions.h"
#include "radial.h"

namespace lammpsfit_gap {

Radial::Radial(Reader &reader, int n_species) : functions(reader, n_species), n_species(n_species)
{
}

void Radial::values(const Neighbours &around, Work &work, double *G) const
{
  const int count = functions.count, stride = around.size();
  work.neighbours.grow(static_cast<std::size_t>(count + 2) * around.stride());
  double *f = work.neighbours.data() + static_cast<std::size_t>(count) * stride, *df = f + stride;
  for (int s = 0; s < n_species; s++) {
    const int begin = around.groups[s].begin, end = around.groups[s].near[ring];
    for (int k = begin; k < end; k += W) {
      Vec value, slope;
      cutoff_function(load(around.r() + k), functions.cutoff, value, slope);
      store(f + k, value);
      store(df + k, slope);
    }
    for (int a = 0; a < count; a++) {
      double *kept = work.neighbours.data() + static_cast<std::size_t>(a) * stride;
      Vec total = spread(0.0);
      for (int k = begin; k < end; k += W) {
        Vec R, dR;
        functions.evaluate(s, a, load(around.r() + k), load(f + k), load(df + k), R, dR);
        store(kept + k, dR);
        total += R;
      }
      G[s * count + a] = sum(total);
    }
  }
}

void Radial::pull(Neighbours &around, Work &work, const double *dG) const
{
  const int count = functions.count, stride = around.size();
  double *gx = around.slope(0), *gy = around.slope(1), *gz = around.slope(2);
  for (int s = 0; s < n_species; s++) {
    for (int k = around.groups[s].begin; k < around.groups[s].near[ring]; k += W) {
      Vec slope = spread(0.0);
      for (int a = 0; a < count; a++)
        slope +=
            dG[s * count + a] * load(work.neighbours.data() + static_cast<std::size_t>(a) * stride + k);
      store(gx + k, load(gx + k) + slope * load(around.x() + k));
      store(gy + k, load(gy + k) + slope * load(around.y() + k));
      store(gz + k, load(gz + k) + slope * load(around.z() + k));
    }
  }
}

void Radial::derivatives(const double *, int species, const double unit[3], double r,
                         double *J) const
{
  const int d = length(), count = functions.count;
  Vec f, df;
  cutoff_function(spread(r), functions.cutoff, f, df);
  for (int k = 0; k < 3 * d; k++) J[k] = 0.0;
  for (int a = 0; a < count; a++) {
    Vec R, dR;
    functions.evaluate(species, a, spread(r), f, df, R, dR);
    for (int axis = 0; axis < 3; axis++) J[axis * d + species * count + a] = dR[0] * unit[axis];
  }
}

}    // namespace lammpsfit_gap
