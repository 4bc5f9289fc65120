#!/usr/bin/env bash
# Two processes of one thread each, in two network namespaces joined by a virtual cable, beside one process of one
# thread: tokens a second of `nephele train text`, and whether both runs leave the same bits.
#
#     apt-get install -y openmpi-bin iproute2
#     sudo Tests/Peers/mpi_scaling.sh NEPHELE TOKENIZER_DIR TEXT_FILE [ROUNDS]
set -euo pipefail
program=$(realpath "$1") tokenizer=$(realpath "$2") data=$(realpath "$3") rounds=${4:-3}
work=$(mktemp -d)
one=nephele-mpi-1 two=nephele-mpi-2
end() {
    ip netns delete "$one" 2>/dev/null || true
    ip netns delete "$two" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT
ip netns add "$one"
ip netns add "$two"
ip link add nephele-a netns "$one" type veth peer name nephele-b netns "$two"
for side in "$one nephele-a 10.77.0.1" "$two nephele-b 10.77.0.2"; do
    read -r space link address <<<"$side"
    ip -n "$space" link set lo up
    ip -n "$space" link set "$link" up
    ip -n "$space" address add "$address/24" dev "$link"
done
# What mpirun starts a daemon on the other host with. A host has a name of its own.
cat >"$work/agent" <<AGENT
#!/usr/bin/env bash
shift
exec ip netns exec $two unshare --uts bash -c "hostname nephele-two; \$*"
AGENT
chmod +x "$work/agent"

train() {  # OUTPUT, then the words of a command that starts the program
    local output=$1
    shift
    "$@" "$program" train text --architecture llama --layers 6 --width 384 --heads 6 --context 256 \
        --tokenizer "$tokenizer" --data "$data" --output "$output" --batch 8 --parts 4 --steps 8 --held-out 0 \
        --checkpoint-every 1000 --threads 1 --json >"$output.log" 2>"$output.err" || { cat "$output.err" >&2; exit 1; }
}
rate() {  # the median of the steps after the first, tokens a second
    python3 -c '
import json, statistics, sys
steps = [json.loads(line) for line in open(sys.argv[1]) if "\"tokensPerSecond\"" in line]
print(statistics.median(step["tokensPerSecond"] for step in steps[1:]))' "$1"
}
for round in $(seq "$rounds"); do
    rm -rf "$work"/alone* "$work"/both*
    train "$work/alone" ip netns exec "$one"
    train "$work/both" ip netns exec "$one" unshare --uts bash -c 'hostname nephele-one; exec "$@"' - \
        mpirun --allow-run-as-root --bind-to none --host 10.77.0.1:1,10.77.0.2:1 -np 2 \
        --mca plm_rsh_agent "$work/agent" --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 \
        --mca oob_tcp_if_include 10.77.0.0/24
    cmp "$work/alone/model.safetensors" "$work/both/model.safetensors"
    python3 -c '
import sys
alone, both = map(float, sys.argv[1:])
print(f"one process {alone:.0f} tokens/s, two {both:.0f}: {both / alone / 2:.2f} of twice as many; same bits")' \
        "$(rate "$work/alone.log")" "$(rate "$work/both.log")"
done
