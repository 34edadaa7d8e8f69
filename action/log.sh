# What the scripts of the action say to the runner. To be sourced.
# shellcheck shell=bash

# Text as a command's data, in which the runner turns these back.
escaped() {
  local text=$1
  text=${text//%/%25}
  text=${text//$'\r'/%0D}
  printf '%s' "${text//$'\n'/%0A}"
}

# How the step ended, for a step that ends before the command itself could say so.
ended() {
  [[ -z ${GITHUB_OUTPUT:-} ]] || printf 'result=%s\n' "$1" >>"$GITHUB_OUTPUT"
}

# Ends the step, in which nothing was asserted.
fail() {
  printf '::error title=Clockwork::%s\n' "$(escaped "$1")"
  ended error
  exit 2
}

note() {
  printf '%s\n' "$1"
}

# What should be seen beside the log. Notices have a limit of their own, and so take no room from failures and warnings.
notice() {
  printf '::notice title=Clockwork::%s\n' "$(escaped "$1")"
}
