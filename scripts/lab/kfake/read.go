package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// committed is the isolation level read_committed; 0 is the other one.
const committed int8 = 1

// record is one line. Bytes are base64, as encoding/json has them; null is null.
type record struct {
	Partition   int32    `json:"partition"`
	Offset      int64    `json:"offset"`
	TimestampMs int64    `json:"timestampMs"`
	Key         []byte   `json:"key"`
	Value       []byte   `json:"value"`
	Headers     []header `json:"headers"`
}

type header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// read prints a topic up to what is stable now: from the oldest offset to the last stable one of each partition (read_committed), or to the high watermark.
func read(args []string) error {
	flags := flag.NewFlagSet("read", flag.ExitOnError)
	brokers := flags.String("brokers", "", "as 127.0.0.1:9092,127.0.0.1:9093")
	topic := flags.String("topic", "", "what to read")
	uncommitted := flags.Bool("uncommitted", false, "also what is in open or aborted transactions")
	seconds := flags.Int("timeout", 30, "seconds to wait for all of it")
	login := flags.String("login", "", "NAME=PASSWORD, by SASL PLAIN")
	ca := flags.String("ca", "", "PEM file of who signed the brokers' certificates: speak TLS")
	certificate := flags.String("cert", "", "PEM file of a client's certificate and key")
	var redirects list
	flags.Var(&redirects, "redirect", "HOST:PORT=HOST:PORT to connect to instead, around a proxy (repeatable)")
	flags.Parse(args)

	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(*brokers, ",")...),
		// From 3.1 on a fetch names topics by their ids.
		kgo.MaxVersions(kversion.V3_0_0()),
	}
	if *login != "" {
		name, password, err := pair("login", *login)
		if err != nil {
			return err
		}
		options = append(options, kgo.SASL(plain.Auth{User: name, Pass: password}.AsMechanism()))
	}
	dial, err := dialer(redirects, *ca, *certificate)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(options, kgo.Dialer(dial))...)
	if err != nil {
		return err
	}
	defer client.Close()
	wait, cancel := context.WithTimeout(context.Background(), time.Duration(*seconds)*time.Second)
	defer cancel()
	level := committed
	if *uncommitted {
		level = 0
	}
	return print(wait, client, *topic, level)
}

// partition is what is left to read of one.
type partition struct {
	leader int32
	next   int64
	end    int64
}

// print asks for the ends first and reads up to them. It fetches by itself, as a consumer does not tell where it is: what is last before an end may be an aborted record.
func print(wait context.Context, client *kgo.Client, topic string, level int8) error {
	left, err := partitions(wait, kadm.NewClient(client), topic, level)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for id, p := range left {
		for p.next < p.end {
			records, next, err := fetch(wait, client, topic, id, p, level)
			if err != nil {
				return fmt.Errorf("topic %q, partition %d, offset %d of %d: %w", topic, id, p.next, p.end, err)
			}
			for _, r := range records {
				if r.Offset >= p.end {
					break
				}
				line, err := json.Marshal(lineOf(r))
				if err != nil {
					return err
				}
				out.Write(append(line, '\n'))
			}
			p.next = next
		}
	}
	return out.Flush()
}

func partitions(wait context.Context, admin *kadm.Client, topic string, level int8) (map[int32]partition, error) {
	topics, err := admin.ListTopics(wait, topic)
	if err != nil {
		return nil, err
	}
	list := admin.ListEndOffsets
	if level == committed {
		list = admin.ListCommittedOffsets
	}
	starts, err := admin.ListStartOffsets(wait, topic)
	if err != nil {
		return nil, err
	}
	ends, err := list(wait, topic)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(topics.Error(), starts.Error(), ends.Error()); err != nil {
		return nil, fmt.Errorf("topic %q: %w", topic, err)
	}
	all := map[int32]partition{}
	for id, detail := range topics[topic].Partitions {
		start, _ := starts.Lookup(topic, id)
		end, _ := ends.Lookup(topic, id)
		all[id] = partition{detail.Leader, start.Offset, end.Offset}
	}
	return all, nil
}

// fetch gives records from an offset on, and the offset after all that it has seen.
func fetch(wait context.Context, client *kgo.Client, topic string, id int32, p partition, level int8) ([]*kgo.Record, int64, error) {
	asked := kmsg.NewFetchRequestTopicPartition()
	asked.Partition, asked.FetchOffset, asked.PartitionMaxBytes = id, p.next, 8<<20
	of := kmsg.NewFetchRequestTopic()
	of.Topic, of.Partitions = topic, []kmsg.FetchRequestTopicPartition{asked}
	request := kmsg.NewPtrFetchRequest()
	request.MaxBytes, request.MaxWaitMillis, request.MinBytes, request.IsolationLevel = 8<<20, 100, 1, level
	request.Topics = []kmsg.FetchRequestTopic{of}
	answer, err := client.Broker(int(p.leader)).RetriableRequest(wait, request)
	if err != nil {
		return nil, 0, err
	}
	response := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(response.ErrorCode); err != nil {
		return nil, 0, err
	}
	if len(response.Topics) != 1 || len(response.Topics[0].Partitions) != 1 {
		return nil, p.next, wait.Err()
	}
	options := kgo.ProcessFetchPartitionOpts{Offset: p.next, Topic: topic, Partition: id, IsolationLevel: kgo.ReadUncommitted()}
	if level == committed {
		options.IsolationLevel = kgo.ReadCommitted()
	}
	got, next := kgo.ProcessFetchPartition(options, &response.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
	return got.Records, next, got.Err
}

func lineOf(r *kgo.Record) record {
	line := record{r.Partition, r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, []header{}}
	for _, h := range r.Headers {
		line.Headers = append(line.Headers, header{h.Key, h.Value})
	}
	return line
}

func dialer(redirects list, ca, certificate string) (func(context.Context, string, string) (net.Conn, error), error) {
	instead := map[string]string{}
	for _, redirect := range redirects {
		from, to, err := pair("redirect", redirect)
		if err != nil {
			return nil, err
		}
		instead[from] = to
	}
	var config *tls.Config
	if ca != "" {
		trusted, err := pool(ca)
		if err != nil {
			return nil, err
		}
		config = &tls.Config{RootCAs: trusted}
	}
	if certificate != "" {
		own, err := tls.LoadX509KeyPair(certificate, certificate)
		if err != nil {
			return nil, err
		}
		config.Certificates = slices.Insert(config.Certificates, 0, own)
	}
	return func(wait context.Context, network, address string) (net.Conn, error) {
		if to, found := instead[address]; found {
			address = to
		}
		if config != nil {
			return (&tls.Dialer{Config: config}).DialContext(wait, network, address)
		}
		return (&net.Dialer{}).DialContext(wait, network, address)
	}, nil
}
