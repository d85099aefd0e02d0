#include "core.h"

#include <cmath>

namespace lammpsfit_gap {

namespace {

constexpr double WEIGHTS[4] = {0.18175, 0.50986, 0.28022, 0.02817};
constexpr double RATES[4] = {3.19980, 0.94229, 0.40290, 0.20162};
constexpr double SCREENING = 0.46850, POWER = 0.23;

}    // namespace

Core::Core(Reader &reader, int n_species) : n_species(n_species)
{
  inner = reader.positive();
  outer = reader.positive();
  const double coulomb = reader.positive();
  std::vector<double> Z(n_species);
  for (double &number : Z) number = reader.positive();
  const double w = outer - inner;
  for (int i = 0; i < n_species; i++)
    for (int j = 0; j < n_species; j++) {
      const double rate = (std::pow(Z[i], POWER) + std::pow(Z[j], POWER)) / SCREENING;
      Pair pair{coulomb * Z[i] * Z[j], rate, 0.0, 0.0, 0.0};
      double end[3];
      screened(pair, outer, end);
      pair.A = (-3.0 * end[1] + w * end[2]) / (w * w);
      pair.B = (2.0 * end[1] - w * end[2]) / (w * w * w);
      pair.C = -end[0] + 0.5 * w * end[1] - w * w * end[2] / 12.0;
      pairs.push_back(pair);
    }
}

// The screened Coulomb energy and two derivatives.
void Core::screened(const Pair &pair, double r, double found[3])
{
  double phi[3] = {0.0, 0.0, 0.0};
  for (int k = 0; k < 4; k++) {
    const double rate = RATES[k] * pair.rate, term = WEIGHTS[k] * std::exp(-rate * r);
    phi[0] += term;
    phi[1] -= rate * term;
    phi[2] += rate * rate * term;
  }
  const double s = pair.strength / r;
  found[0] = s * phi[0];
  found[1] = s * (phi[1] - phi[0] / r);
  found[2] = s * (phi[2] - 2.0 * phi[1] / r + 2.0 * phi[0] / (r * r));
}

double Core::add(int species, Neighbours &around) const
{
  double total = 0.0;
  for (int s = 0; s < n_species; s++) {
    const Pair &pair = pairs[species * n_species + s];
    for (int k = around.groups[s].begin; k < around.groups[s].near.back(); k++) {
      const double r = around.r()[k];
      if (r >= outer) continue;
      double found[3];
      screened(pair, r, found);
      const double t = r > inner ? r - inner : 0.0;
      total += 0.5 * (found[0] + (pair.A / 3.0 + pair.B * t / 4.0) * t * t * t + pair.C);
      const double slope = 0.5 * (found[1] + (pair.A + pair.B * t) * t * t);
      for (int axis = 0; axis < 3; axis++) around.slope(axis)[k] += slope * around.unit(axis)[k];
    }
  }
  return total;
}

}    // namespace lammpsfit_gap
