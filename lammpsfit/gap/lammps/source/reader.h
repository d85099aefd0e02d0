// The words and numbers of a model.gap, one after the other.

#ifndef LAMMPSFIT_GAP_READER_H
#define LAMMPSFIT_GAP_READER_H

#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace lammpsfit_gap {

// What is wrong with a file, in one line.
class ModelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Reader {
 public:
  explicit Reader(const std::string &text) : at(text.c_str()), end(at + text.size()) {}

  bool done()
  {
    skip();
    return at >= end;
  }

  std::string word()
  {
    skip();
    const char *from = at;
    while (at < end && !space(*at)) at++;
    if (from == at) throw ModelError("it ends too early");
    return std::string(from, at);
  }

  void expect(const char *name)
  {
    const std::string found = word();
    if (found != name)
      throw ModelError("line " + std::to_string(line) + ": '" + name + "' must stand here, not '" +
                       found + "'");
  }

  double number()
  {
    skip();
    char *after = nullptr;
    const double value = at < end ? std::strtod(at, &after) : 0.0;
    if (at >= end) throw ModelError("it ends too early");
    if (after == at || after > end || !std::isfinite(value)) throw not_a("number");
    at = after;
    return value;
  }

  int count(int least, int most)
  {
    const double value = number();
    if (value != std::floor(value) || value < least || value > most)
      throw not_a("count, or one out of range");
    return static_cast<int>(value);
  }

  double positive()
  {
    const double value = number();
    if (!(value > 0.0)) throw not_a("positive number");
    return value;
  }

  std::vector<double> numbers(std::size_t n)
  {
    std::vector<double> values(n);
    for (double &value : values) value = number();
    return values;
  }

 private:
  const char *at, *end;
  int line = 1;

  static bool space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

  void skip()
  {
    while (at < end && (space(*at) || *at == '#')) {
      if (*at == '#')
        while (at < end && *at != '\n') at++;
      else
        line += *at++ == '\n';
    }
  }

  ModelError not_a(const char *what) const
  {
    return ModelError("line " + std::to_string(line) + ": there is no " + what);
  }
};

}    // namespace lammpsfit_gap

#endif
