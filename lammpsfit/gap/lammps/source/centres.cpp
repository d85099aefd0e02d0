#include "centres.h"

#include <algorithm>

namespace lammpsfit_gap {

void Centres::add(double a, const double *z, const double *b)
{
  energy.push_back(a);
  raw_z.insert(raw_z.end(), z, z + d);
  if (b) raw_b.insert(raw_b.end(), b, b + d);
}

void Centres::finish()
{
  const int m = size(), panels = (m + PANEL - 1) / PANEL;
  linear = !raw_b.empty();
  const std::size_t all = static_cast<std::size_t>(panels) * PANEL;
  across.grow(all * d);
  along.grow(all * row);
  square.grow(all);
  constant.grow(all);
  if (linear) {
    across_b.grow(all * d);
    along_b.grow(all * row);
  }
  for (int i = 0; i < m; i++) {
    const std::size_t panel = i / PANEL * PANEL, lane = i % PANEL;
    double b_z = 0.0, z_z = 0.0;
    for (int k = 0; k < d; k++) {
      const double z = raw_z[static_cast<std::size_t>(i) * d + k];
      across[panel * d + k * PANEL + lane] = z;
      along[(panel + lane) * row + k] = z;
      z_z += z * z;
      if (!linear) continue;
      const double b = raw_b[static_cast<std::size_t>(i) * d + k];
      across_b[panel * d + k * PANEL + lane] = b;
      along_b[(panel + lane) * row + k] = b;
      b_z += b * z;
    }
    square[i] = 0.5 * z_z;
    constant[i] = energy[i] - b_z;
  }
  sum_up();
  gradient.grow(static_cast<std::size_t>(BATCH) * row);
  raw_z = raw_b = {};
}

void Centres::sum_up()
{
  long double c = 0.0;
  std::vector<long double> l(d, 0.0L), q(d, 0.0L);
  pull.grow(row);
  slope.grow(row);
  matrix.grow(linear ? static_cast<std::size_t>(d) * row : 0);
  for (int i = 0; i < size(); i++) {
    const double *z = raw_z.data() + static_cast<std::size_t>(i) * d;
    const double *b = linear ? raw_b.data() + static_cast<std::size_t>(i) * d : nullptr;
    long double A = energy[i];
    for (int k = 0; linear && k < d; k++) A -= static_cast<long double>(b[k]) * z[k];
    c += A;
    for (int k = 0; k < d; k++) q[k] += A * z[k];
    for (int j = 0; linear && j < d; j++) {
      l[j] += b[j];
      for (int k = 0; k < d; k++) matrix[static_cast<std::size_t>(j) * row + k] += b[j] * z[k];
    }
  }
  plain = static_cast<double>(c);
  for (int k = 0; k < d; k++) {
    slope[k] = static_cast<double>(l[k]);
    pull[k] = static_cast<double>(q[k]);
  }
}

void Centres::evaluate(const double *z, double *energies, double *slopes)
{
  if (linear)
    evaluate_panels<true>(z, energies, slopes);
  else
    evaluate_panels<false>(z, energies, slopes);
}

// What does not depend on the e_m, into energies and `gradient`.
template <bool LINEAR> void Centres::begin(const double *z, double *energies)
{
  for (int i = 0; i < BATCH; i++) energies[i] = plain;
  for (int k = 0; k < row; k += W)
    for (int i = 0; i < BATCH; i++)
      store(gradient.data() + i * row + k, load(slope.data() + k) + load(pull.data() + k));
  if (!LINEAR) return;
  for (int i = 0; i < BATCH; i++)
    for (int k = 0; k < d; k++) energies[i] += slope[k] * z[k * BATCH + i];
  for (int k = 0; k < row; k += W) {
    Vec g[BATCH];
    for (int i = 0; i < BATCH; i++) g[i] = load(gradient.data() + i * row + k);
    for (int j = 0; j < d; j++) {
      const Vec column = load(matrix.data() + static_cast<std::size_t>(j) * row + k);
      for (int i = 0; i < BATCH; i++) g[i] += z[j * BATCH + i] * column;
    }
    for (int i = 0; i < BATCH; i++) store(gradient.data() + i * row + k, g[i]);
  }
}

template <bool LINEAR>
void Centres::evaluate_panels(const double *z, double *energies, double *slopes)
{
  double half[BATCH];
  for (int i = 0; i < BATCH; i++) {
    half[i] = 0.0;
    for (int k = 0; k < d; k++) half[i] += 0.5 * z[k * BATCH + i] * z[k * BATCH + i];
  }
  Vec total[BATCH];
  for (Vec &value : total) value = spread(0.0);
  begin<LINEAR>(z, energies);
  const int m = size();
  for (int first = 0; first < m; first += PANEL) {
    Vec dot[BATCH][2], dot_b[BATCH][2];
    for (int i = 0; i < BATCH; i++)
      for (int j = 0; j < 2; j++) dot[i][j] = dot_b[i][j] = spread(0.0);
    const double *Z = across.data() + static_cast<std::size_t>(first) * d,
                 *B = across_b.data() + static_cast<std::size_t>(first) * d;
    for (int k = 0; k < d; k++) {
      const Vec low = load(Z + k * PANEL), high = load(Z + k * PANEL + W);
      for (int i = 0; i < BATCH; i++) {
        dot[i][0] += z[k * BATCH + i] * low;
        dot[i][1] += z[k * BATCH + i] * high;
      }
      if (LINEAR) {
        const Vec low_b = load(B + k * PANEL), high_b = load(B + k * PANEL + W);
        for (int i = 0; i < BATCH; i++) {
          dot_b[i][0] += z[k * BATCH + i] * low_b;
          dot_b[i][1] += z[k * BATCH + i] * high_b;
        }
      }
    }
    alignas(ALIGNMENT) double less_one[BATCH][PANEL], weight[BATCH][PANEL];
    for (int i = 0; i < BATCH; i++)
      for (int j = 0; j < 2; j++) {
        const Vec exponent = dot[i][j] - load(square.data() + first + j * W) - half[i];
        const Vec e = vexpm1(pick(exponent < 0.0, exponent, spread(0.0)));
        // those that only fill up have neither energy nor vectors
        const Vec w = e * (dot_b[i][j] + load(constant.data() + first + j * W));
        total[i] += w;
        store(less_one[i] + j * W, e);
        store(weight[i] + j * W, w);
      }
    const double *Z_m = along.data() + static_cast<std::size_t>(first) * row,
                 *B_m = along_b.data() + static_cast<std::size_t>(first) * row;
    for (int k = 0; k < row; k += W) {
      Vec g[BATCH];
      for (int i = 0; i < BATCH; i++) g[i] = load(gradient.data() + i * row + k);
      for (int j = 0; j < PANEL; j++) {
        const Vec centre = load(Z_m + j * row + k);
        for (int i = 0; i < BATCH; i++) g[i] += weight[i][j] * centre;
        if (LINEAR) {
          const Vec b = load(B_m + j * row + k);
          for (int i = 0; i < BATCH; i++) g[i] += less_one[i][j] * b;
        }
      }
      for (int i = 0; i < BATCH; i++) store(gradient.data() + i * row + k, g[i]);
    }
  }
  for (int i = 0; i < BATCH; i++) {
    energies[i] += sum(total[i]);
    for (int k = 0; k < d; k++)
      slopes[k * BATCH + i] = gradient[i * row + k] - energies[i] * z[k * BATCH + i];
  }
}

void Centres::products(const double *v, double *out) const
{
  double half = 0.0;
  for (int k = 0; k < d; k++) half += 0.5 * v[k * BATCH] * v[k * BATCH];
  const int all = static_cast<int>(square.size());
  for (int first = 0; first < all; first += PANEL) {
    Vec dot[BATCH][2];
    for (int i = 0; i < BATCH; i++) dot[i][0] = dot[i][1] = spread(0.0);
    const double *Z = across.data() + static_cast<std::size_t>(first) * d;
    for (int k = 0; k < d; k++) {
      const Vec low = load(Z + k * PANEL), high = load(Z + k * PANEL + W);
      for (int i = 0; i < BATCH; i++) {
        dot[i][0] += v[k * BATCH + i] * low;
        dot[i][1] += v[k * BATCH + i] * high;
      }
    }
    for (int j = 0; j < 2; j++) {
      const Vec exponent = dot[0][j] - load(square.data() + first + j * W) - half;
      store(out + first + j * W, vexp(pick(exponent < 0.0, exponent, spread(0.0))));
      for (int i = 1; i < BATCH; i++)
        store(out + i * static_cast<std::size_t>(all) + first + j * W, dot[i][j]);
    }
  }
}

}    // namespace lammpsfit_gap
