package main

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
)

// listening is how brokers listen: kfake's own way and what it lacks.
type listening struct {
	// told has the port that clients are told for each that is listened on; its own without one.
	told   map[int]int
	tls    *tls.Config
	logins bool
}

func (how listening) listen(network, address string) (net.Listener, error) {
	plain, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	own := plain.Addr().(*net.TCPAddr)
	all := listener{plain, own, how.logins}
	if told, found := how.told[own.Port]; found {
		// A broker tells its clients the address that its listener says it has.
		all.addr = &net.TCPAddr{IP: own.IP, Port: told}
	}
	if how.tls != nil {
		all.Listener = tls.NewListener(plain, how.tls)
	}
	return all, nil
}

type listener struct {
	net.Listener
	addr   net.Addr
	logins bool
}

func (l listener) Addr() net.Addr { return l.addr }

func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err == nil && l.logins {
		return &loginConn{Conn: accepted}, nil
	}
	return accepted, err
}

// loginConn names the mechanisms of SASL in the answer to SaslHandshake, where kfake leaves the list empty unless it refuses one; Kafka always has it, and kafkajs looks there.
// kfake writes each answer at once, and what comes before a client has logged in are one or two ApiVersions, which are longer, and this one.
type loginConn struct {
	net.Conn
	answers int
}

const answersBeforeLogin = 3

// 4 bytes of length, 4 that name the request, 2 of no error, 4 of no mechanisms.
var handshakeAfterId = make([]byte, 6)

func (c *loginConn) Write(answer []byte) (int, error) {
	c.answers++
	if c.answers > answersBeforeLogin || len(answer) < 8 || !bytes.Equal(answer[8:], handshakeAfterId) {
		return c.Conn.Write(answer)
	}
	mechanisms := []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
	longer := append([]byte{}, answer[:10]...)
	longer = binary.BigEndian.AppendUint32(longer, uint32(len(mechanisms)))
	for _, name := range mechanisms {
		longer = append(binary.BigEndian.AppendUint16(longer, uint16(len(name))), name...)
	}
	binary.BigEndian.PutUint32(longer, uint32(len(longer)-4))
	if _, err := c.Conn.Write(longer); err != nil {
		return 0, err
	}
	return len(answer), nil
}
