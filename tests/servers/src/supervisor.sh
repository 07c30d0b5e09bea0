# Runs one server for a test process, and outlives that process just long enough to tidy up after it.
#
#   supervisor.sh FOLDER SIGNAL COMMAND...
#
# Orders come on stdin, one a line, and each is answered by one line on stdout. When stdin closes, because the owner
# dropped the server or because the owner died, the server gets SIGNAL and FOLDER is removed.

dir=$1 quit=$2
shift 2

server= stopped=

# Handlers rather than "ignore": what we start gets the default back. An answer to an owner who has just died must not
# kill us by SIGPIPE before we have tidied up.
trap : HUP INT TERM PIPE

while read -r order pids; do
    case $order in
    start)
        "$@" </dev/null >>"$dir/log" 2>&1 &
        server=$!
        echo "$server"
        ;;
    # The server is dead or dying. Until its parent has waited for it, its pid looks alive to the next server.
    reap)
        wait "$server"
        # The stopped ones died with it; their pids may soon be somebody else's.
        server= stopped=
        echo reaped
        ;;
    STOP)
        stopped="$stopped $pids"
        kill -STOP $pids
        echo sent
        ;;
    CONT)
        kill -CONT $pids
        stopped=
        echo sent
        ;;
    *)
        kill -"$order" $pids
        echo sent
        ;;
    esac
done

trap '' HUP INT TERM PIPE

# A stopped process would not hear the signals that follow.
[ -z "$stopped" ] || kill -CONT $stopped

if [ -n "$server" ]; then
    # To the whole group, for what runs before the server does: an initdb in the middle of its work.
    kill -TERM 0
    kill -"$quit" "$server"
    # The patience of five seconds, then KILL. It ends by itself once `wait` below has collected the server.
    (
        tries=0
        while kill -0 "$server" && [ $tries -lt 100 ]; do
            sleep 0.05
            tries=$((tries + 1))
        done
        [ $tries -lt 100 ] || kill -KILL "$server"
    ) >/dev/null &
    wait "$server"
fi

# A postmaster that was killed leaves its System V segment (line 7: key and id); macOS has room for only 32.
if [ -f "$dir/data/postmaster.pid" ]; then
    set -- $(sed -n 7p "$dir/data/postmaster.pid")
    [ -z "$2" ] || ipcrm -m "$2"
fi

# A browser's processes are many, and some may be there for a moment longer.
[ ! -d "$dir/profile" ] || { rm -rf "$dir"; sleep 1; }
rm -rf "$dir"
# A straggler may have written into it meanwhile.
[ ! -e "$dir" ] || { sleep 1; rm -rf "$dir"; }
