#include "projection.h"

#include <algorithm>

namespace lammpsfit_gap {

namespace {

constexpr int TILE = 4;

// sums[i][j] = sum_k R[i][k] Y[j][k]: a block of a product of matrices that stays in registers
template <int N, int M>
void products(const double *R, const double *Y, std::size_t stride, int begin, int end, double *to,
              int row)
{
  Vec sums[N][M];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < M; j++) sums[i][j] = spread(0.0);
  for (int k = begin; k < end; k += W) {
    Vec y[M];
    for (int j = 0; j < M; j++) y[j] = load(Y + j * stride + k);
    for (int i = 0; i < N; i++) {
      const Vec r = load(R + i * stride + k);
      for (int j = 0; j < M; j++) sums[i][j] += r * y[j];
    }
  }
  for (int i = 0; i < N; i++)
    for (int j = 0; j < M; j++) to[j * row + i] = sum(sums[i][j]);
}

using Products = void (*)(const double *, const double *, std::size_t, int, int, double *, int);
constexpr Products PRODUCTS[TILE][TILE] = {
    {products<1, 1>, products<1, 2>, products<1, 3>, products<1, 4>},
    {products<2, 1>, products<2, 2>, products<2, 3>, products<2, 4>},
    {products<3, 1>, products<3, 2>, products<3, 3>, products<3, 4>},
    {products<4, 1>, products<4, 2>, products<4, 3>, products<4, 4>},
};

}    // namespace

Projection::Projection(const Functions &functions, const Harmonics &harmonics, int n_species) :
    functions(functions), harmonics(harmonics), n_species(n_species)
{
}

void Projection::sum(const Neighbours &around, int ring, Work &work) const
{
  const int count = functions.count, n_Y = harmonics.size();
  const std::size_t stride = around.size();
  work.neighbours.grow(static_cast<std::size_t>(2 * count + n_Y) * around.stride());
  work.moments.grow(size());
  double *R = work.neighbours.data(), *dR = R + count * stride, *Y = dR + count * stride;
  for (int s = 0; s < n_species; s++) {
    const int begin = around.groups[s].begin, end = around.groups[s].near[ring];
    for (int k = begin; k < end; k += W) {
      const Vec r = load(around.r() + k);
      Vec f, df, harmonic[MOST];
      cutoff_function(r, functions.cutoff, f, df);
      for (int a = 0; a < count; a++) {
        Vec value, slope;
        functions.evaluate(s, a, r, f, df, value, slope);
        store(R + a * stride + k, value);
        store(dR + a * stride + k, slope);
      }
      harmonics.values(load(around.x() + k), load(around.y() + k), load(around.z() + k), harmonic);
      for (int j = 0; j < n_Y; j++) store(Y + j * stride + k, harmonic[j]);
    }
    double *A = work.moments.data() + s * count;
    for (int a = 0; a < count; a += TILE)
      for (int j = 0; j < n_Y; j += TILE)
        PRODUCTS[std::min(TILE, count - a) - 1][std::min(TILE, n_Y - j) - 1](
            R + a * stride, Y + j * stride, stride, begin, end, A + j * row() + a, row());
  }
}

void Projection::pull(Neighbours &around, int ring, const Work &work) const
{
  const int count = functions.count, n_Y = harmonics.size();
  const std::size_t stride = around.size();
  const double *R = work.neighbours.data(), *dR = R + count * stride, *Y = dR + count * stride;
  double *gx = around.slope(0), *gy = around.slope(1), *gz = around.slope(2);
  for (int s = 0; s < n_species; s++) {
    const double *D = work.slope.data() + s * count;
    for (int k = around.groups[s].begin; k < around.groups[s].near[ring]; k += W) {
      // with T_lm = sum_a R_a dE/dA_alm:  dE = sum_lm T_lm dY_lm + sum_lm Y_lm dT_lm
      Vec T[MOST], along = spread(0.0);
      int j = 0;
      for (; j + TILE <= n_Y; j += TILE) {
        Vec t[TILE], d[TILE];
        for (int i = 0; i < TILE; i++) t[i] = d[i] = spread(0.0);
        for (int a = 0; a < count; a++) {
          const Vec value = load(R + a * stride + k), slope = load(dR + a * stride + k);
          for (int i = 0; i < TILE; i++) {
            const double weight = D[(j + i) * row() + a];
            t[i] += weight * value;
            d[i] += weight * slope;
          }
        }
        for (int i = 0; i < TILE; i++) {
          T[j + i] = t[i];
          along += d[i] * load(Y + (j + i) * stride + k);
        }
      }
      for (; j < n_Y; j++) {
        Vec t = spread(0.0), d = t;
        for (int a = 0; a < count; a++) {
          t += D[j * row() + a] * load(R + a * stride + k);
          d += D[j * row() + a] * load(dR + a * stride + k);
        }
        T[j] = t;
        along += d * load(Y + j * stride + k);
      }
      const Vec x = load(around.x() + k), y = load(around.y() + k), z = load(around.z() + k),
                inverse = load(around.inverse_r() + k);
      Vec g[3];
      harmonics.pull(x, y, z, T, g);
      along -= inverse * (x * g[0] + y * g[1] + z * g[2]);    // unit vectors only turn
      store(gx + k, load(gx + k) + inverse * g[0] + along * x);
      store(gy + k, load(gy + k) + inverse * g[1] + along * y);
      store(gz + k, load(gz + k) + inverse * g[2] + along * z);
    }
  }
}

void Projection::derivatives(int species, const double unit[3], double r, double *dA) const
{
  const int count = functions.count, n_Y = harmonics.size();
  const Vec x = spread(unit[0]), y = spread(unit[1]), z = spread(unit[2]);
  Vec f, df, Y[MOST], T[MOST], R, dR;
  cutoff_function(spread(r), functions.cutoff, f, df);
  harmonics.values(x, y, z, Y);
  for (int k = 0; k < 3 * size(); k++) dA[k] = 0.0;
  for (int j = 0; j < n_Y; j++) T[j] = spread(0.0);
  for (int j = 0; j < n_Y; j += W) {    // each lane is another harmonic
    const int n = std::min(W, n_Y - j);
    for (int i = 0; i < n; i++) T[j + i][i] = 1.0;
    Vec g[3];
    harmonics.pull(x, y, z, T, g);
    for (int i = 0; i < n; i++) T[j + i][i] = 0.0;
    const Vec inward = x * g[0] + y * g[1] + z * g[2];
    for (int a = 0; a < count; a++) {
      functions.evaluate(species, a, spread(r), f, df, R, dR);
      for (int axis = 0; axis < 3; axis++) {
        const Vec turn = (g[axis] - inward * unit[axis]) * (R[0] / r);
        for (int i = 0; i < n; i++)
          dA[axis * size() + (j + i) * row() + species * count + a] =
              turn[i] + dR[0] * unit[axis] * Y[j + i][0];
      }
    }
  }
}

}    // namespace lammpsfit_gap
