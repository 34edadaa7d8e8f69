#!/usr/bin/env bash
# The action's one step: from its inputs to a command line, and then to that command, which takes this shell's place.
# Nothing runs behind it: the command itself writes the step's outputs, summary and annotations.
#
# It needs bash (3.2 will do), and for an installation what install.sh names.
set -euo pipefail

here=${BASH_SOURCE[0]%/*}
# shellcheck source=action/log.sh
source "$here/log.sh"
# shellcheck source=action/install.sh
source "$here/install.sh"
trap interrupted INT TERM

manifest=${CLOCKWORK_ACTION_MANIFEST:-}
vars=${CLOCKWORK_ACTION_VARS:-}
command=${CLOCKWORK_ACTION_COMMAND:-}
binary=${CLOCKWORK_ACTION_BINARY:-}
version=${CLOCKWORK_ACTION_VERSION:-}
install=${CLOCKWORK_ACTION_INSTALL:-auto}
report_dir=${CLOCKWORK_ACTION_REPORT_DIR:-}

# Fails unless an input is one of two words.
either() {
  local name=$1 value=$2
  case $value in
    true | True | TRUE) return 0 ;;
    false | False | FALSE) return 1 ;;
    *) fail "the input $name is \"$value\"; write true or false" ;;
  esac
}

# Adds an option for each of the words of an input, which commas or line breaks separate.
each() {
  local option=$1 rest=${2//,/$'\n'} word
  while IFS= read -r word || [[ -n $word ]]; do
    trim word
    [[ -z $word ]] || arguments+=("$option=$word")
  done <<<"$rest"
}

# Takes the blanks around it from the variable of this name.
trim() {
  local value=${!1}
  value=${value#"${value%%[![:space:]]*}"}
  value=${value%"${value##*[![:space:]]}"}
  printf -v "$1" '%s' "$value"
}

# A directory that no other step of this job writes to. The command makes it.
new_report_dir() {
  local base=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/clockwork-report number=1
  while [[ -e $base-$number ]]; do
    number=$((number + 1))
  done
  report_dir=$base-$number
}

working_directory=${CLOCKWORK_ACTION_WORKING_DIRECTORY:-}
if [[ -n $working_directory ]]; then
  cd -- "$working_directory" 2>/dev/null || fail "there is no directory $working_directory (the input working-directory)"
fi

case $install in
  auto | release | source) ;;
  *) fail "the input install is \"$install\"; write auto, release or source" ;;
esac
trim command
if [[ -n $command || -n $binary ]]; then
  [[ -z $command || -z $binary ]] || fail "the inputs command and binary both say what to run; give one of them"
  [[ -z $version && $install == auto ]] ||
    fail "the inputs version and install have no meaning where command or binary says what to run; leave them out"
fi

arguments=(assert --format=github --grace=4s)
[[ -z ${GITHUB_OUTPUT:-} ]] || arguments+=("--format=github-output=$GITHUB_OUTPUT")
if either summary "${CLOCKWORK_ACTION_SUMMARY:-true}" && [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
  arguments+=("--format=markdown=$GITHUB_STEP_SUMMARY")
fi
either annotations "${CLOCKWORK_ACTION_ANNOTATIONS:-true}" || arguments+=(--no-annotations)
[[ -n $report_dir ]] || new_report_dir
arguments+=("--report-dir=$report_dir" "--fail-on=${CLOCKWORK_ACTION_FAIL_ON:-failed}")
[[ -z $manifest ]] || arguments+=("--manifest=$manifest")
while IFS= read -r line || [[ -n $line ]]; do
  # A line that was written on Windows ends with a carriage return.
  line=${line%$'\r'}
  [[ -z ${line//[[:space:]]/} ]] || arguments+=("--var=${line#"${line%%[![:space:]]*}"}")
done <<<"$vars"
each --only "${CLOCKWORK_ACTION_ONLY:-}"
each --tag "${CLOCKWORK_ACTION_TAGS:-}"
[[ -z ${CLOCKWORK_ACTION_WITHIN:-} ]] || arguments+=("--within=$CLOCKWORK_ACTION_WITHIN")
[[ -z ${CLOCKWORK_ACTION_TIMEOUT:-} ]] || arguments+=("--timeout=$CLOCKWORK_ACTION_TIMEOUT")

program=()
if [[ $command == *$'\n'* ]]; then
  while IFS= read -r word; do
    trim word
    [[ -z $word ]] || program+=("$word")
  done <<<"$command"
elif [[ -n $command ]]; then
  IFS=$' \t' read -r -a program <<<"$command"
elif [[ -n $binary ]]; then
  program=("$binary")
else
  install_clockwork "$here/.." "${version#v}" "$install"
  program=("$installed")
fi
type -P -- "${program[0]}" >/dev/null ||
  fail "cannot run ${program[0]}: it is not there, or not executable"
exec -- "${program[@]}" "${arguments[@]}"
