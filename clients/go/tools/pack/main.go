// Command pack puts a module into a directory that is laid out like a module proxy.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	directory := flag.String("module", ".", "directory of the module")
	version := flag.String("version", "", "its version, such as v1.2.3")
	proxy := flag.String("proxy", "", "directory to write to; GOPROXY=file://DIRECTORY")
	flag.Parse()
	if err := pack(*directory, *version, *proxy); err != nil {
		log.Fatal(err)
	}
}

func pack(directory, version, proxy string) error {
	text, err := os.ReadFile(filepath.Join(directory, "go.mod"))
	if err != nil {
		return err
	}
	path := modfile.ModulePath(text)
	escaped, err := module.EscapePath(path)
	if err != nil {
		return err
	}
	into := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]string{"Version": version})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".info": info, version + ".mod": text,
	} {
		if err := os.WriteFile(filepath.Join(into, name), content, 0o644); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(into, version+".zip"))
	if err != nil {
		return err
	}
	if err := zip.CreateFromDir(archive, module.Version{Path: path, Version: version}, directory); err != nil {
		return err
	}
	return archive.Close()
}
