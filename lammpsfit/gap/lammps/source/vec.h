// Vectors of doubles as wide as those of the processor, and the two functions a GAP needs of them.
//
// GCC and Clang compile these types to whatever the processor has. Nothing here may be compiled
// with -ffast-math: the rounding in vexp would be optimised away.

#ifndef LAMMPSFIT_GAP_VEC_H
#define LAMMPSFIT_GAP_VEC_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

namespace lammpsfit_gap {

#if defined(__AVX512F__)
constexpr int W = 8;
#elif defined(__AVX__)
constexpr int W = 4;
#else
constexpr int W = 2;
#endif

typedef double Vec __attribute__((vector_size(8 * W)));
typedef int64_t IntVec __attribute__((vector_size(8 * W)));

constexpr std::size_t ALIGNMENT = 64;

inline Vec load(const double *p)
{
  return *reinterpret_cast<const Vec *>(p);
}

inline void store(double *p, Vec v)
{
  *reinterpret_cast<Vec *>(p) = v;
}

inline Vec spread(double x)
{
  Vec v;
  for (int i = 0; i < W; i++) v[i] = x;
  return v;
}

inline double sum(Vec v)
{
  double s[W];
  std::memcpy(s, &v, sizeof v);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) s[i] += s[i + half];
  return s[0];
}

inline Vec bits(IntVec v)
{
  return reinterpret_cast<Vec>(v);
}

inline IntVec bits(Vec v)
{
  return reinterpret_cast<IntVec>(v);
}

// a where the mask of a comparison is set, else b
inline Vec pick(IntVec mask, Vec a, Vec b)
{
  return bits((mask & bits(a)) | (~mask & bits(b)));
}

// The next multiple of the width.
inline int padded(int n)
{
  return (n + W - 1) / W * W;
}

// Memory of doubles on the boundary of a cache line, all zero at first.
class Buffer {
 public:
  double *data() { return values.data(); }
  const double *data() const { return values.data(); }
  double &operator[](std::size_t k) { return values[k]; }
  double operator[](std::size_t k) const { return values[k]; }
  std::size_t size() const { return values.size(); }
  void grow(std::size_t n)
  {
    if (values.size() < n) values.assign(n, 0.0);
  }

 private:
  template <class T> struct Aligned {
    using value_type = T;
    Aligned() = default;
    template <class U> Aligned(const Aligned<U> &) {}
    T *allocate(std::size_t n)
    {
      return static_cast<T *>(::operator new(n * sizeof(T), std::align_val_t(ALIGNMENT)));
    }
    void deallocate(T *p, std::size_t) { ::operator delete(p, std::align_val_t(ALIGNMENT)); }
    template <class U> bool operator==(const Aligned<U> &) const { return true; }
    template <class U> bool operator!=(const Aligned<U> &) const { return false; }
  };
  std::vector<double, Aligned<double>> values;
};

// e^x - 1 for x <= 0, to the last bit or two, also where it is small.
inline Vec vexpm1(Vec x)
{
  constexpr double LOG2_E = 1.4426950408889634074, LN2_HIGH = 0x1.62e42fefa3800p-1,
                   LN2_LOW = 0x1.ef35793c76730p-45, ROUND = 0x1.8p52;
  x = pick(x > -700.0, x, spread(-700.0));
  const Vec shifted = x * LOG2_E + ROUND;    // the low bits are those of the nearest integer
  const Vec n = shifted - ROUND;
  const Vec r = (x - n * LN2_HIGH) - n * LN2_LOW;
  // e^r - 1 by Taylor's series to r^13 / 13!, |r| <= ln 2 / 2, by Estrin's scheme
  const Vec r2 = r * r, r4 = r2 * r2, r8 = r4 * r4;
  const Vec low = r2 * (1.0 / 2 + r * (1.0 / 6)) +
      r4 * ((1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040)));
  const Vec high = (1.0 / 40320 + r * (1.0 / 362880)) +
      r2 * (1.0 / 3628800 + r * (1.0 / 39916800)) +
      r4 * (1.0 / 479001600 + r * (1.0 / 6227020800));
  const Vec p = r + (low + r8 * high);
  const Vec power = bits((bits(shifted) << 52) + bits(spread(1.0)));    // 2^n
  return p * power + (power - 1.0);
}

inline Vec vexp(Vec x)
{
  return 1.0 + vexpm1(x);
}

// f(r) = [cos(pi r / cutoff) + 1] / 2 and its slope; both zero beyond the cutoff.
inline void cutoff_function(Vec r, double cutoff, Vec &f, Vec &slope)
{
  constexpr double PI = 3.14159265358979323846;
  const IntVec inside = r < cutoff;
  // with y = pi r / (2 cutoff) - pi / 4:  f = (cos y - sin y)^2 / 2,  cos^2 y - sin^2 y = sin(pi x)
  const Vec y = pick(inside, r, spread(cutoff)) * (0.5 * PI / cutoff) - 0.25 * PI;
  const Vec y2 = y * y;
  const Vec s = y * (1.0 + y2 * (-1.0 / 6 + y2 * (1.0 / 120 + y2 * (-1.0 / 5040 +
      y2 * (1.0 / 362880 + y2 * (-1.0 / 39916800 + y2 * (1.0 / 6227020800 +
      y2 * (-1.0 / 1307674368000.0))))))));
  const Vec c = 1.0 + y2 * (-1.0 / 2 + y2 * (1.0 / 24 + y2 * (-1.0 / 720 + y2 * (1.0 / 40320 +
      y2 * (-1.0 / 3628800 + y2 * (1.0 / 479001600 + y2 * (-1.0 / 87178291200.0 +
      y2 * (1.0 / 20922789888000.0))))))));
  const Vec zero = spread(0.0), less = c - s;
  f = pick(inside, 0.5 * less * less, zero);
  slope = pick(inside, (-0.5 * PI / cutoff) * (c * c - s * s), zero);
}

}    // namespace lammpsfit_gap

#endif
