#include "neighbours.h"

#include <algorithm>

namespace lammpsfit_gap {

void Neighbours::set_up(int n_species, const std::vector<double> &given)
{
  cutoffs = given;
  groups.assign(n_species, Group{0, 0, std::vector<int>(cutoffs.size())});
  start.resize(n_species * cutoffs.size());
}

void Neighbours::reserve(int n)
{
  if (n <= room) return;
  room = n + n / 4 + 16;
  raw_index.resize(room);
  raw_species.resize(room);
  bucket.resize(room);
  raw.resize(4 * static_cast<std::size_t>(room));
  capacity = padded(room + W * static_cast<int>(groups.size()));
  index.resize(capacity);
  vectors = Buffer();
  vectors.grow(8 * static_cast<std::size_t>(capacity));
}

void Neighbours::finish()
{
  const int rings = static_cast<int>(cutoffs.size());
  std::fill(start.begin(), start.end(), 0);
  for (int t = 0; t < found; t++) {
    int ring = 0;
    for (int k = 0; k + 1 < rings; k++) ring += raw[4 * t + 3] >= cutoffs[k] * cutoffs[k];
    bucket[t] = raw_species[t] * rings + ring;
    start[bucket[t]]++;
  }
  double *x = vectors.data(), *y = x + capacity, *z = y + capacity, *r = z + capacity,
         *inverse = r + capacity;
  const double beyond = 2.0 * cutoffs.back();
  int at = 0;
  for (std::size_t s = 0; s < groups.size(); s++) {
    Group &group = groups[s];
    group.begin = at;
    for (int k = 0; k < rings; k++) {
      int &count = start[s * rings + k];
      const int first = at;
      at += count;
      count = first;
      group.near[k] = at;
    }
    group.end = padded(at);
    for (; at < group.end; at++) {
      x[at] = beyond;
      y[at] = z[at] = 0.0;
      r[at] = beyond * beyond;
      index[at] = -1;
    }
  }
  filled = at;
  for (int t = 0; t < found; t++) {
    const int to = start[bucket[t]]++;
    x[to] = raw[4 * t];
    y[to] = raw[4 * t + 1];
    z[to] = raw[4 * t + 2];
    r[to] = raw[4 * t + 3];
    index[to] = raw_index[t];
  }
  for (int k = 0; k < filled; k += W) {
    Vec length = load(r + k);
    for (int i = 0; i < W; i++) length[i] = __builtin_sqrt(length[i]);
    const Vec one_over = 1.0 / length;
    store(r + k, length);
    store(inverse + k, one_over);
    store(x + k, load(x + k) * one_over);
    store(y + k, load(y + k) * one_over);
    store(z + k, load(z + k) * one_over);
  }
}

}    // namespace lammpsfit_gap
