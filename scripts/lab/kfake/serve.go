package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

// serve runs brokers until SIGTERM, or until stdin ends, which it does when whoever started them is gone.
func serve(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	ports := flags.String("ports", "", "one for each broker, as 9092,9093")
	advertised := flags.String("advertised", "", "ports that clients are told instead, as those of proxies")
	dataDir := flags.String("data", "", "directory that outlives the process; none: all is in memory")
	partitions := flags.Int("partitions", 4, "partitions of a topic that is created without a number")
	version := flags.String("as-version", "", "version of Kafka to look like, as 3.9")
	acls := flags.Bool("acls", false, "refuse what no ACL allows, superusers excepted")
	certificate := flags.String("cert", "", "PEM file of the brokers' certificate and key: speak TLS")
	clientCA := flags.String("client-ca", "", "PEM file of who signs the certificates that clients have to show")
	var topics, superusers, users, settings list
	flags.Var(&topics, "topic", "NAME=PARTITIONS that is there from the start (repeatable)")
	flags.Var(&superusers, "superuser", "MECHANISM:NAME=PASSWORD (repeatable); asks all clients for a login")
	flags.Var(&users, "user", "as -superuser, but ACLs hold for it (repeatable)")
	flags.Var(&settings, "config", "NAME=VALUE of the brokers (repeatable)")
	flags.Parse(args)

	listenOn, err := numbers("ports", *ports)
	if err != nil {
		return err
	}
	if len(listenOn) == 0 {
		return errors.New("-ports: wanted: at least one")
	}
	how := listening{told: map[int]int{}, logins: len(superusers)+len(users) > 0}
	options := []kfake.Opt{
		kfake.Ports(listenOn...),
		kfake.NumBrokers(len(listenOn)),
		kfake.DefaultNumPartitions(*partitions),
	}
	if *dataDir != "" {
		options = append(options, kfake.DataDir(*dataDir))
	}
	if *version != "" {
		versions := kversion.FromString(*version)
		if versions == nil {
			return fmt.Errorf("-as-version %q: wanted: one of %v", *version, kversion.VersionStrings())
		}
		options = append(options, kfake.MaxVersions(versions))
	}
	if *acls {
		options = append(options, kfake.EnableACLs())
	}
	if *certificate != "" {
		config, err := serverTLS(*certificate, *clientCA)
		if err != nil {
			return err
		}
		how.tls = config
	}
	if *advertised != "" {
		told, err := numbers("advertised", *advertised)
		if err != nil {
			return err
		}
		if len(told) != len(listenOn) {
			return fmt.Errorf("-advertised %q: wanted: %d ports", *advertised, len(listenOn))
		}
		for i, port := range listenOn {
			how.told[port] = told[i]
		}
	}
	for _, topic := range topics {
		name, count, err := pair("topic", topic)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(count)
		if err != nil {
			return fmt.Errorf("-topic %q: %w", topic, err)
		}
		options = append(options, kfake.SeedTopics(int32(n), name))
	}
	if how.logins {
		options = append(options, kfake.EnableSASL())
	}
	for i, user := range append(superusers, users...) {
		login, password, err := pair("user", user)
		if err != nil {
			return err
		}
		mechanism, name, found := strings.Cut(login, ":")
		if !found {
			return fmt.Errorf("-user %q: wanted: MECHANISM:NAME=PASSWORD", user)
		}
		if i < len(superusers) {
			options = append(options, kfake.Superuser(mechanism, name, password))
		} else {
			options = append(options, kfake.User(mechanism, name, password))
		}
	}
	config := map[string]string{}
	for _, setting := range settings {
		name, value, err := pair("config", setting)
		if err != nil {
			return err
		}
		config[name] = value
	}
	if len(config) > 0 {
		options = append(options, kfake.BrokerConfigs(config))
	}

	cluster, err := kfake.NewCluster(append(options, kfake.ListenFn(how.listen))...)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		end <- syscall.SIGTERM
	}()
	<-end
	cluster.Close()
	return nil
}

func numbers(flag, value string) ([]int, error) {
	var all []int
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("-%s %q: %w", flag, value, err)
		}
		all = append(all, n)
	}
	return all, nil
}

func serverTLS(certificate, clientCA string) (*tls.Config, error) {
	// Certificate and key are in one file.
	own, err := tls.LoadX509KeyPair(certificate, certificate)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{own}}
	if clientCA != "" {
		config.ClientCAs, err = pool(clientCA)
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, err
}

func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := x509.NewCertPool()
	if !all.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	return all, nil
}
