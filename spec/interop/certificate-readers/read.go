// Reads certificates (PEM) by crypto/x509 and prints the attributes of each subject in a line, as JSON.
package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	for _, file := range os.Args[1:] {
		octets, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		block, _ := pem.Decode(octets)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			fmt.Printf("%q\n", err.Error())
			continue
		}
		attributes := [][2]string{}
		for _, name := range certificate.Subject.Names {
			attributes = append(attributes, [2]string{name.Type.String(), fmt.Sprint(name.Value)})
		}
		line, _ := json.Marshal(attributes)
		fmt.Println(string(line))
	}
}
