// Judges chains by crypto/x509: a line of JSON for each on standard input, a line with "valid" or why not for each on
// standard output.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

type chain struct {
	Leaf          []byte
	Intermediates [][]byte
	Roots         [][]byte
	Policies      []string
	At            time.Time
}

func judge(line []byte) error {
	var c chain
	if err := json.Unmarshal(line, &c); err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(c.Leaf)
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{
		CurrentTime:   c.At,
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, policy := range c.Policies {
		oid, err := x509.ParseOID(policy)
		if err != nil {
			return err
		}
		options.CertificatePolicies = append(options.CertificatePolicies, oid)
	}
	add := func(pool *x509.CertPool, ders [][]byte) {
		for _, der := range ders {
			if certificate, err := x509.ParseCertificate(der); err == nil {
				pool.AddCert(certificate)
			}
		}
	}
	add(options.Roots, c.Roots)
	add(options.Intermediates, c.Intermediates)
	_, err = leaf.Verify(options)
	return err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if err := judge(lines.Bytes()); err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("valid")
		}
	}
}
