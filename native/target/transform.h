// Winograd's minimal filtering for 3x3 kernels, F(m x m, 3 x 3) with m = 2, 4, 5, 6.
//
// A tile of m x m outputs takes (m + 2) x (m + 2) products a channel instead of 9 m m, when inputs,
// kernels and products are transformed: Y = A^T [(G g G^T) . (B^T d B)] A (Lavin and Gray 2015,
// arXiv 1509.09308). The transforms follow from the points at which polynomials are evaluated (Cook
// and Toom): here pairs +p and -p, infinity, and 0 where m is even. The two rows of a pair have the
// same even terms and opposite odd terms, so that they share their work; what is here writes that
// out for any number of pairs.
#pragma once

#include "vector.h"

namespace vggnet::VGGNET_TARGET {

// The pairs decide how rounding errors grow. For m = 4 the common 1 and 2 give twice the error of
// these, and those for m = 5 are the best of 364 triples (measured on random numbers; Barabasz et
// al. 2020, arXiv 1803.10986, on choosing points).
template <int kTile>
struct Points;
template <>
struct Points<2> {
  static constexpr double pairs[] = {1.0};
};
template <>
struct Points<4> {
  static constexpr double pairs[] = {2.0 / 3, 3.0 / 2};
};
template <>
struct Points<5> {
  static constexpr double pairs[] = {1.0 / 3, 4.0 / 5, 2.0};
};
template <>
struct Points<6> {
  static constexpr double pairs[] = {0.5, 1.0, 2.0};
};

// One dimension of a tile. `Number` is a Vector, each lane a channel of its own. Inlined
// always: a call would take a tile's numbers through memory.
template <int kTile>
struct Transform {
  static constexpr int kSide = kTile + 2;  // inputs, and products, a dimension
  static constexpr int kPairs = (kSide - 1) / 2;
  static constexpr int kZero = (kSide - 1) % 2;  // 1 if the point 0 is among them, which is then the first

  // Coefficients in x^2 of the product of (x^2 - p^2) over all pairs but one: kPairs of them, with
  // left_out = -1 kPairs + 1.
  struct Polynomial {
    double of[kPairs + 1] = {1.0};
  };
  static constexpr Polynomial product(int left_out) {
    Polynomial result;
    int degree = 0;
    for (int pair = 0; pair < kPairs; ++pair) {
      if (pair == left_out) continue;
      const double square = Points<kTile>::pairs[pair] * Points<kTile>::pairs[pair];
      ++degree;
      result.of[degree] = result.of[degree - 1];
      for (int power = degree - 1; power > 0; --power)
        result.of[power] = result.of[power - 1] - square * result.of[power];
      result.of[0] *= -square;
    }
    return result;
  }
  static constexpr double power(double base, int exponent) {
    return exponent == 0 ? 1.0 : base * power(base, exponent - 1);
  }
  static constexpr double value(int left_out, double square) {
    double total = 0;
    for (int i = kPairs; i >= 0; --i) total = total * square + product(left_out).of[i];
    return total;
  }

  // v = B^T d: point 0, the pairs (+, -), infinity. The row of a point holds the coefficients of
  // the product of (x - q) over all other finite points q, that of infinity those over all.
  template <class Number>
  [[gnu::always_inline]] static inline void input(const Number (&d)[kSide], Number (&v)[kSide]) {
    constexpr Polynomial all = product(-1);
    Number zero = d[2 * kPairs], infinity = d[2 * kPairs + kZero];
#pragma GCC unroll 8
    for (int i = 0; i < kPairs; ++i) {
      zero += float(all.of[i]) * d[2 * i];
      infinity += float(all.of[i]) * d[2 * i + kZero];
    }
    v[kSide - 1] = infinity;
    if constexpr (kZero) v[0] = zero;
    pairs_of_input<0>(d, v);
  }
  template <int kPair, class Number>
  [[gnu::always_inline]] static inline void pairs_of_input(const Number (&d)[kSide], Number (&v)[kSide]) {
    if constexpr (kPair < kPairs) {
      constexpr Polynomial rest = product(kPair);
      constexpr double p = Points<kTile>::pairs[kPair];
      Number same = d[2 * kPairs - 1 + kZero], opposite = float(p) * d[2 * kPairs - 2 + kZero];
#pragma GCC unroll 8
      for (int i = 0; i < kPairs - 1; ++i) {
        same += float(rest.of[i]) * d[2 * i + 1 + kZero];
        opposite += float(p * rest.of[i]) * d[2 * i + kZero];
      }
      v[kZero + 2 * kPair] = same + opposite;
      v[kZero + 2 * kPair + 1] = same - opposite;
      pairs_of_input<kPair + 1>(d, v);
    }
  }

  // y = A^T m: output k is the sum of p^k m over the points.
  template <class Number>
  [[gnu::always_inline]] static inline void output(const Number (&m)[kSide], Number (&y)[kTile]) {
    Number same[kPairs], opposite[kPairs];
#pragma GCC unroll 8
    for (int pair = 0; pair < kPairs; ++pair) {
      same[pair] = m[kZero + 2 * pair] + m[kZero + 2 * pair + 1];
      opposite[pair] = m[kZero + 2 * pair] - m[kZero + 2 * pair + 1];
    }
    rows_of_output<0>(m, same, opposite, y);
  }
  template <int kRow, class Number>
  [[gnu::always_inline]] static inline void rows_of_output(
      const Number (&m)[kSide], const Number (&same)[kPairs], const Number (&opposite)[kPairs],
      Number (&y)[kTile]) {
    if constexpr (kRow < kTile) {
      const auto& terms = kRow % 2 ? opposite : same;
      Number total = kZero && kRow == 0 ? m[0] : kRow == kTile - 1 ? m[kSide - 1] : Number{};
      add_terms<kRow, 0>(terms, total);
      y[kRow] = total;
      rows_of_output<kRow + 1>(m, same, opposite, y);
    }
  }
  template <int kRow, int kPair, class Number>
  [[gnu::always_inline]] static inline void add_terms(const Number (&terms)[kPairs], Number& total) {
    if constexpr (kPair < kPairs) {
      constexpr double factor = power(Points<kTile>::pairs[kPair], kRow);
      total += float(factor) * terms[kPair];
      add_terms<kRow, kPair + 1>(terms, total);
    }
  }

  // m = A y, the adjoint of `output`: at each point the polynomial whose coefficients are y.
  template <class Number>
  [[gnu::always_inline]] static inline void output_adjoint(const Number (&y)[kTile], Number (&m)[kSide]) {
    m[kSide - 1] = y[kTile - 1];
    if constexpr (kZero) m[0] = y[0];
    pairs_of_output_adjoint<0>(y, m);
  }
  template <int kPair, class Number>
  [[gnu::always_inline]] static inline void pairs_of_output_adjoint(const Number (&y)[kTile],
                                                                     Number (&m)[kSide]) {
    if constexpr (kPair < kPairs) {
      constexpr double p = Points<kTile>::pairs[kPair];
      Number even = y[0], odd = float(p) * y[1];
      add_powers<kPair, 2>(y, even, odd);
      m[kZero + 2 * kPair] = even + odd;
      m[kZero + 2 * kPair + 1] = even - odd;
      pairs_of_output_adjoint<kPair + 1>(y, m);
    }
  }
  template <int kPair, int kRow, class Number>
  [[gnu::always_inline]] static inline void add_powers(const Number (&y)[kTile], Number& even, Number& odd) {
    if constexpr (kRow < kTile) {
      constexpr double raised = power(Points<kTile>::pairs[kPair], kRow);
      (kRow % 2 ? odd : even) += float(raised) * y[kRow];
      add_powers<kPair, kRow + 1>(y, even, odd);
    }
  }

  // u = G g: row p of G is (1, p, p^2) over the product of p's distances to the other points.
  template <class Number>
  [[gnu::always_inline]] static inline void kernel(const Number (&g)[3], Number (&u)[kSide]) {
    constexpr double at_zero = 1 / product(-1).of[0];
    u[kSide - 1] = g[2];
    if constexpr (kZero) u[0] = float(at_zero) * g[0];
    pairs_of_kernel<0>(g, u);
  }
  template <int kPair, class Number>
  [[gnu::always_inline]] static inline void pairs_of_kernel(const Number (&g)[3], Number (&u)[kSide]) {
    if constexpr (kPair < kPairs) {
      constexpr double p = Points<kTile>::pairs[kPair];
      constexpr double distances = 2 * p * (kZero ? p : 1) * value(kPair, p * p);
      const Number even = float(1 / distances) * g[0] + float(p * p / distances) * g[2];
      const Number odd = float(p / distances) * g[1];
      u[kZero + 2 * kPair] = even + odd;
      // Of the point -p the distances, and without the point 0 they, change sign.
      u[kZero + 2 * kPair + 1] = kZero ? even - odd : odd - even;
      pairs_of_kernel<kPair + 1>(g, u);
    }
  }

  // g = G^T u, the adjoint of `kernel`.
  template <class Number>
  [[gnu::always_inline]] static inline void kernel_adjoint(const Number (&u)[kSide], Number (&g)[3]) {
    constexpr float of_zero = float(1 / product(-1).of[0]);
    g[0] = kZero ? of_zero * u[0] : Number{};
    g[1] = Number{};
    g[2] = u[kSide - 1];
    pairs_of_kernel_adjoint<0>(u, g);
  }
  template <int kPair, class Number>
  [[gnu::always_inline]] static inline void pairs_of_kernel_adjoint(const Number (&u)[kSide],
                                                                     Number (&g)[3]) {
    if constexpr (kPair < kPairs) {
      constexpr double p = Points<kTile>::pairs[kPair];
      constexpr double distances = 2 * p * (kZero ? p : 1) * value(kPair, p * p);
      const Number plus = u[kZero + 2 * kPair], minus = u[kZero + 2 * kPair + 1];
      const Number even = kZero ? plus + minus : plus - minus;
      const Number odd = kZero ? plus - minus : plus + minus;
      g[0] += float(1 / distances) * even;
      g[1] += float(p / distances) * odd;
      g[2] += float(p * p / distances) * even;
      pairs_of_kernel_adjoint<kPair + 1>(u, g);
    }
  }
};

}  // namespace vggnet::VGGNET_TARGET
