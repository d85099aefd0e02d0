#include "model.h"

#include <algorithm>

namespace lammpsfit_gap {

Model::Model(const std::string &text)
{
  Reader reader(text);
  if (reader.word() != "lammpsfit-gap") throw ModelError("it is no GAP of lammpsfit");
  reader.expect("format");
  const int format = reader.count(0, 1000000);
  if (format != FORMAT)
    throw ModelError("it is of format " + std::to_string(format) + ", this plugin reads format " +
                     std::to_string(FORMAT) + ": export the model again");
  reader.expect("species");
  species.resize(reader.count(1, 200));
  for (std::string &name : species) name = reader.word();
  reader.expect("energies");
  alone = reader.numbers(species.size());
  read_parts(reader);
  reader.expect("gaussian");
  n_gaussian = reader.count(0, n_descriptors);
  reader.expect("offset");
  offset = reader.numbers(n_descriptors);
  reader.expect("weight");
  weight = reader.numbers(n_descriptors);
  read_centres(reader);
  reader.expect("linear");
  weights = reader.numbers(species.size() * (n_descriptors - n_gaussian));
  const int n_species = static_cast<int>(species.size());
  for (std::string next = reader.word(); next != "end"; next = reader.word()) {
    if (next == "core" && !core)
      core = std::make_unique<Core>(reader, n_species);
    else if (next == "errors" && !errors)
      errors = std::make_unique<Errors>(reader, n_species, n_gaussian, n_descriptors);
    else
      throw ModelError("it has '" + next + "', which this plugin does not know: build it again");
  }
  if (!reader.done()) throw ModelError("it goes on after its end");
}

void Model::read_centres(Reader &reader)
{
  reader.expect("centres");
  const bool linear = reader.count(0, 1) == 1;
  for (std::size_t s = 0; s < species.size(); s++) {
    Centres some(n_gaussian);
    const int count = reader.count(0, 10000000);
    for (int i = 0; i < count; i++) {
      const double a = reader.number();
      const std::vector<double> at = reader.numbers(n_gaussian);
      const std::vector<double> b = reader.numbers(linear ? n_gaussian : 0);
      some.add(a, at.data(), linear ? b.data() : nullptr);
    }
    some.finish();
    centres.push_back(std::move(some));
  }
}

void Model::read_parts(Reader &reader)
{
  reader.expect("parts");
  const int n = reader.count(1, 100), n_species = static_cast<int>(species.size());
  for (int k = 0; k < n; k++) {
    parts.push_back(read_part(reader, n_species));
    n_descriptors += parts.back()->length();
    n_moments += parts.back()->moments();
    cutoffs.push_back(parts.back()->cutoff());
  }
  std::sort(cutoffs.begin(), cutoffs.end());
  cutoffs.erase(std::unique(cutoffs.begin(), cutoffs.end()), cutoffs.end());
  for (auto &part : parts)
    part->ring = static_cast<int>(std::find(cutoffs.begin(), cutoffs.end(), part->cutoff()) -
                                  cutoffs.begin());
  for (auto &some : work) some.resize(parts.size());
  G.resize(n_descriptors);
  dz.resize(n_descriptors);
  J_part.resize(3 * static_cast<std::size_t>(n_descriptors));
  z.grow(static_cast<std::size_t>(n_descriptors) * BATCH);
  slope.grow(static_cast<std::size_t>(n_descriptors) * BATCH);
  moments_of_part.grow(n_moments);
}

int Model::species_index(const std::string &name) const
{
  const auto at = std::find(species.begin(), species.end(), name);
  return at == species.end() ? -1 : static_cast<int>(at - species.begin());
}

// Puts z of an atom into G.
void Model::scaled(const Neighbours &around, std::vector<Work> &own)
{
  int at = 0;
  for (std::size_t p = 0; p < parts.size(); at += parts[p++]->length())
    parts[p]->values(around, own[p], &G[at]);
  for (int k = 0; k < n_descriptors; k++) G[k] = (G[k] - offset[k]) * weight[k];
}

void Model::evaluate(int own, int n, Neighbours *around, double *energies)
{
  const int n_linear = n_descriptors - n_gaussian;
  const double *w = weights.data() + own * n_linear;
  double x[BATCH];
  for (int i = 0; i < n; i++) {
    scaled(around[i], work[i]);
    x[i] = 0.0;
    for (int k = 0; k < n_gaussian; k++) z[k * BATCH + i] = G[k];
    for (int k = n_gaussian; k < n_descriptors; k++) x[i] += w[k - n_gaussian] * G[k];
  }
  double local[BATCH];
  centres[own].evaluate(z.data(), local, slope.data());
  for (int i = 0; i < n; i++) {
    energies[i] = local[i] + x[i] + alone[own];
    for (int axis = 0; axis < 3; axis++) std::fill_n(around[i].slope(axis), around[i].size(), 0.0);
    for (int k = 0; k < n_gaussian; k++) dz[k] = slope[k * BATCH + i] * weight[k];
    for (int k = n_gaussian; k < n_descriptors; k++) dz[k] = w[k - n_gaussian] * weight[k];
    int at = 0;
    for (std::size_t p = 0; p < parts.size(); at += parts[p++]->length())
      parts[p]->pull(around[i], work[i][p], &dz[at]);
    if (core) energies[i] += core->add(own, around[i]);
  }
}

void Model::describe(const Neighbours &around, double *to, double *kept)
{
  scaled(around, work[0]);
  std::copy(G.begin(), G.end(), to);
  for (std::size_t p = 0; p < parts.size(); p++)
    kept = std::copy_n(work[0][p].moments.data(), parts[p]->moments(), kept);
}

void Model::derivatives(const double *kept, int neighbour, const double unit[3], double r,
                        double *J)
{
  int at = 0;
  for (auto &part : parts) {
    const int length = part->length();
    if (r < part->cutoff()) {
      std::copy_n(kept, part->moments(), moments_of_part.data());
      part->derivatives(moments_of_part.data(), neighbour, unit, r, J_part.data());
    } else
      std::fill_n(J_part.begin(), 3 * length, 0.0);
    for (int axis = 0; axis < 3; axis++)
      for (int k = 0; k < length; k++)
        J[axis * n_descriptors + at + k] = J_part[axis * length + k] * weight[at + k];
    at += length;
    kept += part->moments();
  }
}

}    // namespace lammpsfit_gap
