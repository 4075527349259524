#!/bin/sh
# A copy of the collector's SQLite file while the collector runs: backup.sh DATABASE FOLDER [DAYS]
# The copy is checked before it gets its name. Copies older than DAYS (30) are removed.
set -eu
database=$1
folder=$2
days=${3:-30}
name=$(basename "$database" .sqlite)-$(date -u +%Y%m%dT%H%M%SZ).sqlite
part="$folder/.$name.part"
trap 'rm -f "$part"' EXIT
[ -f "$database" ] || { echo "$database: no such file. Name the file of --db." >&2; exit 1; }
rm -f "$part"
sqlite3 -readonly -cmd '.timeout 60000' "$database" "VACUUM INTO '$part'"
found=$(sqlite3 "$part" 'PRAGMA integrity_check')
[ "$found" = ok ] || { echo "$part: the copy is damaged: $found" >&2; exit 1; }
sync "$part"
mv "$part" "$folder/$name"
find "$folder" -maxdepth 1 -name "$(basename "$database" .sqlite)-*.sqlite" \
  -mtime "+$days" -delete
echo "$folder/$name"
