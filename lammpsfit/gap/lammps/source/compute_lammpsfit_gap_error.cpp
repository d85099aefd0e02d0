#include "compute_lammpsfit_gap_error.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "pair_lammpsfit_gap.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace LAMMPS_NS;
using lammpsfit_gap::Term;

ComputeLammpsfitGapError::ComputeLammpsfitGapError(LAMMPS *lmp, int narg, char **arg) :
    Compute(lmp, narg, arg)
{
  energy_only = narg == 4 && strcmp(arg[3], "energy") == 0;
  if (narg != 3 && !energy_only)
    error->all(FLERR, "compute lammpsfit/gap/error takes no argument but 'energy'");
  peratom_flag = 1;
  size_peratom_cols = energy_only ? 0 : 2;
}

ComputeLammpsfitGapError::~ComputeLammpsfitGapError()
{
  memory->destroy(vector_atom);
  memory->destroy(array_atom);
}

void ComputeLammpsfitGapError::init()
{
  pair = dynamic_cast<PairLammpsfitGap *>(force->pair_match("lammpsfit/gap", 1));
  if (!pair) error->all(FLERR, "compute lammpsfit/gap/error needs pair style lammpsfit/gap");
  if (!pair->gap().errors)
    error->all(FLERR, "compute lammpsfit/gap/error: {} has no errors: the model it was made of has "
               "none either", pair->file());
  comm_forward = energy_only ? 0 : pair->gap().length() + pair->gap().moments();
  around.set_up(static_cast<int>(pair->gap().species.size()), pair->gap().cutoffs);
}

void ComputeLammpsfitGapError::compute_peratom()
{
  invoked_peratom = update->ntimestep;
  if (atom->nmax > nmax) {
    nmax = atom->nmax;
    if (energy_only) {
      memory->destroy(vector_atom);
      memory->create(vector_atom, nmax, "lammpsfit/gap/error:vector");
    } else {
      memory->destroy(array_atom);
      memory->create(array_atom, nmax, 2, "lammpsfit/gap/error:array");
    }
  }
  describe_all();
  const std::size_t row = pair->gap().length() + pair->gap().moments();
  for (int i = 0; i < atom->nlocal; i++) {
    const int species = pair->species_of(atom->type[i]);
    const bool wanted = species >= 0 && (atom->mask[i] & groupbit);
    const double energy =
        wanted ? pair->gap().errors->energy(species, &described[i * row]) : 0.0;
    if (energy_only)
      vector_atom[i] = energy;
    else {
      array_atom[i][0] = wanted ? force_error(i) : 0.0;
      array_atom[i][1] = energy;
    }
  }
}

void ComputeLammpsfitGapError::describe_all()
{
  lammpsfit_gap::Model &gap = pair->gap();
  const std::size_t row = gap.length() + gap.moments();
  const int all = energy_only ? atom->nlocal : atom->nlocal + atom->nghost;
  described.assign(static_cast<std::size_t>(all) * row, 0.0);
  for (int i = 0; i < atom->nlocal; i++) {
    if (pair->species_of(atom->type[i]) < 0) continue;
    pair->find_neighbours(i, around);
    gap.describe(around, &described[i * row], &described[i * row] + gap.length());
  }
  if (!energy_only) comm->forward_comm(this);
}

// The force on an atom is a sum of derivatives of its own local energy and those of its neighbours.
double ComputeLammpsfitGapError::force_error(int i)
{
  lammpsfit_gap::Model &gap = pair->gap();
  const int d = gap.length();
  const std::size_t row = d + gap.moments(), block = 3 * static_cast<std::size_t>(d);
  pair->find_neighbours(i, around);
  J.assign(block * (around.size() + 2), 0.0);
  double *own = J.data(), *mine = own + block, *next = mine + block;
  const int species = pair->species_of(atom->type[i]);
  std::vector<Term> terms{{species, &described[i * row], own}};
  for (int k = 0; k < around.size(); k++) {
    const int j = around.index[k];
    if (j < 0) continue;
    const double to[3] = {around.x()[k], around.y()[k], around.z()[k]}, back[3] = {-to[0], -to[1], -to[2]};
    const int other = pair->species_of(atom->type[j]);
    gap.derivatives(&described[i * row] + d, other, to, around.r()[k], mine);
    for (std::size_t n = 0; n < block; n++) own[n] -= mine[n];
    gap.derivatives(&described[j * row] + d, species, back, around.r()[k], next);
    terms.push_back({other, &described[j * row], next});
    next += block;
  }
  double error[3];
  gap.errors->forces(terms, error);
  return std::sqrt(error[0] * error[0] + error[1] * error[1] + error[2] * error[2]);
}

int ComputeLammpsfitGapError::pack_forward_comm(int n, int *which, double *buffer, int, int *)
{
  const std::size_t row = comm_forward;
  double *to = buffer;
  for (int k = 0; k < n; k++) to = std::copy_n(&described[which[k] * row], row, to);
  return static_cast<int>(to - buffer);
}

void ComputeLammpsfitGapError::unpack_forward_comm(int n, int first, double *buffer)
{
  std::copy_n(buffer, static_cast<std::size_t>(n) * comm_forward, &described[first * static_cast<std::size_t>(comm_forward)]);
}

double ComputeLammpsfitGapError::memory_usage()
{
  return static_cast<double>(described.capacity() + J.capacity() + 2.0 * nmax) * sizeof(double);
}
