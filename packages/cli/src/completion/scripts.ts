/** Shells that fleetctl can be completed in. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The hidden command that the scripts ask: its operands are the words of the line, the last one unfinished. */
export const COMPLETE = "__complete";

const BASH = `# bash completion for fleetctl
_fleetctl() {
  local IFS=$'\\n' line
  COMPREPLY=()
  # ":" and "=" part words in bash, not in fleetctl: the line is taken as it was typed.
  local typed="\${COMP_LINE:0:COMP_POINT}" words=()
  IFS=' ' read -ra words <<<"$typed"
  [[ $typed == *' ' ]] && words+=("")
  local last="\${words[-1]}" cut=""
  [[ $last == *[:=]* ]] && cut="\${last%"\${last##*[:=]}"}"
  while IFS= read -r line; do
    [[ $line == :files ]] && compopt -o default && COMPREPLY=() && return
    COMPREPLY+=("\${line#"$cut"}")
  done < <("\${words[0]}" ${COMPLETE} -- "\${words[@]:1}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -F _fleetctl fleetctl
`;

const ZSH = `#compdef fleetctl
# zsh completion for fleetctl
_fleetctl() {
  local -a found
  found=("\${(@f)$("\${words[1]}" ${COMPLETE} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "\${found[1]}" == ":files" ]]; then
    _files
  elif [[ -n "\${found[1]}" ]]; then
    compadd -Q -a found
  fi
}
# As a file in fpath this is itself the function, until it has run once: the first Tab must complete, too.
if [[ "\${funcstack[1]}" == _fleetctl ]]; then
  _fleetctl "$@"
else
  compdef _fleetctl fleetctl
fi
`;

const FISH = `# fish completion for fleetctl
function __fleetctl_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found (command $words[1] ${COMPLETE} -- $words[2..-1] 2>/dev/null)
  if test "$found[1]" = ":files"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c fleetctl -f -a '(__fleetctl_complete)'
`;

/** The completion script of a shell; null: there is none. */
export function completionScript(shell: string): string | null {
  const scripts: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
  return Object.hasOwn(scripts, shell) ? (scripts[shell] ?? null) : null;
}
