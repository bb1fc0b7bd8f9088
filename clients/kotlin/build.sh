#!/usr/bin/env bash
# What CI does with the Kotlin client; `mvn` alone does for everything else, once the Java client is
# installed.
#   toolchain  installs what is missing, or says what is and exits 3
#   gen        nothing: Maven makes the stubs at each build
#   lint       the format; warnings of the compiler are errors wherever it runs
#   test       the client's own tests
#   package    the jar, the jar of sources and the pom, installed into the local repository
#   runner     the runner of the conformance suite; its command is the last line
#   example    streams from the gateway at $INTERLINGUA_ADDRESS
#   consumer   the same by a new project outside of the tree that uses the jar

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"

maven() {
  mvn --quiet --batch-mode --no-transfer-progress -Dstyle.color=never "$@"
}

java_client() {
  ../java/build.sh package >&2
}

# Installs the client unless the very jar of the sources as they are is installed.
package() {
  java_client
  local jar=target/interlingua-client-kotlin-0.1.0.jar
  local installed=$HOME/.m2/repository/dev/interlingua/interlingua-client-kotlin/0.1.0/${jar##*/}
  local sources=(pom.xml src/main ../java/target/interlingua-client-0.1.0.jar)
  if cmp -s "$jar" "$installed" && [ -z "$(find "${sources[@]}" -newer "$jar" -print -quit)" ]; then
    return
  fi
  maven -DskipTests install >&2
}

runner() {
  package
  maven -f conformance compile >&2
  echo "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC" \
    "-cp $here/conformance/target/classes:$(cat conformance/target/classpath)" \
    "dev.interlingua.conformance.RunnerKt"
}

example() {
  package
  maven -f examples/stream compile exec:java
}

install_jar() {
  maven org.apache.maven.plugins:maven-install-plugin:3.1.4:install-file \
    -Dfile="$1/target/$2-0.1.0.jar" -DpomFile="$1/pom.xml" \
    -Dsources="$1/target/$2-0.1.0-sources.jar" -DlocalRepositoryPath="$3"
}

# The project has a local repository of its own, which holds the jars; the rest comes from the usual
# one, as from any other repository, or from where Maven gets things.
consumer() {
  package
  local folder usual
  folder=$(mktemp -d)
  trap "rm -rf '$folder'" EXIT
  usual=$(mvn help:evaluate -Dexpression=settings.localRepository -q -DforceStdout)
  install_jar ../java interlingua-client "$folder/repository"
  install_jar . interlingua-client-kotlin "$folder/repository"
  mkdir -p "$folder/src/main/kotlin"
  cp examples/stream/src/main/kotlin/StreamTokens.kt "$folder/src/main/kotlin"
  sed "s|  <dependencies>|  <repositories><repository><id>usual</id><url>file://$usual</url></repository></repositories>\n  <pluginRepositories><pluginRepository><id>usual</id><url>file://$usual</url></pluginRepository></pluginRepositories>\n&|" \
    examples/stream/pom.xml >"$folder/pom.xml"
  maven -f "$folder" -Dmaven.repo.local="$folder/repository" compile exec:java
}

case "${1:-}" in
  package | runner | example | consumer) "$1" ;;
  toolchain) ../java/build.sh toolchain ;;
  gen) ;;
  lint) maven spotless:check ;;
  test) java_client && maven test ;;
  *)
    sed -n '2,11s/^# //p' "$0"
    exit 2
    ;;
esac
