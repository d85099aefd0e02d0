#include "harmonics.h"

#include <algorithm>
#include <cmath>

namespace lammpsfit_gap {

Harmonics::Harmonics(std::vector<int> degrees) : which(std::move(degrees)), count(0)
{
  highest = *std::max_element(which.begin(), which.end());
  diagonal[0] = 1.0;    // (2 m - 1)!!
  for (int m = 1; m <= highest + 1; m++) diagonal[m] = diagonal[m - 1] * (2 * m - 1);
  for (int m = 0; m <= highest; m++)
    for (int l = m + 1; l <= highest; l++) {
      up[m][l] = (2.0 * l - 1.0) / (l - m);
      down[m][l] = (l + m - 1.0) / (l - m);
    }
  for (int l : which) {
    Term term{l, count, {}};
    term.norm[0] = 1.0;
    for (int m = 1; m <= l; m++)
      term.norm[m] = std::sqrt(2.0 * std::tgamma(l - m + 1.0) / std::tgamma(l + m + 1.0));
    terms.push_back(term);
    starts.push_back(count);
    count += 2 * l + 1;
  }
}

void Harmonics::powers(Vec x, Vec y, Vec z, Powers &p) const
{
  p.c[0] = spread(1.0);
  p.s[0] = spread(0.0);
  for (int m = 1; m <= highest; m++) {
    p.c[m] = x * p.c[m - 1] - y * p.s[m - 1];
    p.s[m] = x * p.s[m - 1] + y * p.c[m - 1];
  }
  for (int m = 0; m <= highest; m++) {
    p.P[m][m] = spread(diagonal[m]);
    if (m < highest) p.P[m][m + 1] = (2.0 * m + 1.0) * z * p.P[m][m];
    for (int l = m + 2; l <= highest; l++)
      p.P[m][l] = up[m][l] * z * p.P[m][l - 1] - down[m][l] * p.P[m][l - 2];
  }
}

void Harmonics::values(Vec x, Vec y, Vec z, Vec *Y) const
{
  Powers p;
  powers(x, y, z, p);
  for (const Term &term : terms) {
    Vec *to = Y + term.at;
    *to++ = p.P[0][term.l];
    for (int m = 1; m <= term.l; m++) {
      const Vec scaled = term.norm[m] * p.P[m][term.l];
      *to++ = scaled * p.c[m];
      *to++ = scaled * p.s[m];
    }
  }
}

void Harmonics::pull(Vec x, Vec y, Vec z, const Vec *T, Vec g[3]) const
{
  Powers p;
  powers(x, y, z, p);
  // d(x + iy)^m = m (x + iy)^(m - 1) (dx + i dy);  d/dz of P[m][l] is P[m + 1][l]
  g[0] = g[1] = g[2] = spread(0.0);
  for (const Term &term : terms)
    if (term.l > 0) g[2] += T[term.at] * p.P[1][term.l];
  for (int m = 1; m <= highest; m++) {
    Vec c = spread(0.0), s = c, c_z = c, s_z = c;
    for (const Term &term : terms) {
      if (term.l < m) continue;
      const Vec t_c = term.norm[m] * T[term.at + 2 * m - 1], t_s = term.norm[m] * T[term.at + 2 * m];
      c += t_c * p.P[m][term.l];
      s += t_s * p.P[m][term.l];
      if (term.l > m) {
        c_z += t_c * p.P[m + 1][term.l];
        s_z += t_s * p.P[m + 1][term.l];
      }
    }
    const double power = m;
    g[0] += power * (c * p.c[m - 1] + s * p.s[m - 1]);
    g[1] += power * (s * p.c[m - 1] - c * p.s[m - 1]);
    g[2] += c_z * p.c[m] + s_z * p.s[m];
  }
}

}    // namespace lammpsfit_gap
