package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certs writes ca.pem, what it signed as broker.pem and client.pem (key and certificate in one file), and other-ca.pem, which signed none of them.
func certs(args []string) error {
	flags := flag.NewFlagSet("certs", flag.ExitOnError)
	folder := flags.String("out", "", "directory to write to")
	flags.Parse(args)

	authority := x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authority.Subject.CommonName = "Tailrace lab"
	ca, caKey, err := sign(authority, nil, nil)
	if err != nil {
		return err
	}
	other, _, err := sign(authority, nil, nil)
	if err != nil {
		return err
	}
	files := map[string][]byte{"ca.pem": encode("CERTIFICATE", ca.Raw), "other-ca.pem": encode("CERTIFICATE", other.Raw)}
	for name, leaf := range map[string]x509.Certificate{
		"broker.pem": {
			Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		},
		"client.pem": {
			Subject:  pkix.Name{CommonName: "client"},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		},
	} {
		certificate, key, err := sign(leaf, ca, caKey)
		if err != nil {
			return err
		}
		// Kafka reads no other form of a key.
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		files[name] = append(encode("PRIVATE KEY", pkcs8), encode("CERTIFICATE", certificate.Raw)...)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(*folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// sign gives a certificate and its key; without a parent it signs itself.
func sign(template x509.Certificate, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	if parent == nil {
		parent, parentKey = &template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(raw)
	return certificate, key, err
}

func encode(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}
