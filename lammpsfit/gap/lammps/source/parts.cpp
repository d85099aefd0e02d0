#include "parts.h"

#include "angular.h"
#include "invariants.h"
#include "radial.h"

namespace lammpsfit_gap {

std::unique_ptr<Part> read_part(Reader &reader, int n_species)
{
  reader.expect("part");
  const std::string name = reader.word();
  if (name == "radial") return std::make_unique<Radial>(reader, n_species);
  if (name == "angular") return std::make_unique<Angular>(reader, n_species);
  if (name == "invariants") return std::make_unique<Invariants>(reader, n_species);
  throw ModelError("this plugin knows no descriptors of the kind '" + name +
                   "': build it again with the lammpsfit that wrote the file");
}

}    // namespace lammpsfit_gap
