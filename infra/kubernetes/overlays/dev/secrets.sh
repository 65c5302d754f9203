#!/bin/sh
# Makes the secrets of the dev overlay: one random word a file. Files that exist stay as they are.
set -eu
umask 077
cd "$(dirname "$0")/stores"
for example in *.env.example; do
    file=${example%.example}
    [ -e "$file" ] && continue
    word=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    sed "s/CHANGE_ME/$word/g" "$example" > "$file"
    echo "wrote $file"
done
