#!/bin/sh
# Makes gr_teter_3000K.csv: the structure of liquid Na2O-3SiO2 in the potential of Teter, which
# the fit is to find again without having seen that potential. One core, some minutes.
set -eu
cd "$(dirname "$0")"
out=$PWD/gr_teter_3000K.csv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp in.liquid "$work"
cd "$work"
lammpsfit export Teter -o teter
lmp -in in.liquid -log liquid.log
lammpsfit reference liquid.lammpstrj -o gr_teter_3000K.csv --r-max 8 --dr 0.04
mv gr_teter_3000K.csv "$out"
