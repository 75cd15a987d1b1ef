// The flooder is one participant who sends as much as its order says.
//
// It reads one order from stdin, joins, writes `{"joined": sid}`, sends, and writes `{"sent": n}`.
// It is written in Go because the Python SDK sends about 2,000 packets a second.
package main

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/protocol/utils/guid"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

// order says what to send: see flooder.py, which writes it.
type order struct {
	URL       string  `json:"url"`
	Token     string  `json:"token"`
	Kind      string  `json:"kind"`
	PerSecond float64 `json:"per_second"`
	Seconds   float64 `json:"seconds"`
	Bytes     int     `json:"bytes"`
	To        string  `json:"to"`
	// Crowd has the tokens of further identities.
	Crowd []string `json:"crowd"`
}

// packet is a DataPacket of any kind, as the SDK's PublishDataPacket wants it.
type packet struct{ proto *livekit.DataPacket }

func (p packet) ToProto() *livekit.DataPacket { return p.proto }

// tick is how often a sender that keeps a rate looks at the clock.
const tick = 2 * time.Millisecond

func main() {
	var given order
	must(json.NewDecoder(os.Stdin).Decode(&given))
	logger.InitFromConfig(&logger.Config{Level: "error"}, "flooder")
	room := joined(given)
	fmt.Printf("{\"joined\": %q}\n", room.LocalParticipant.SID())
	send := sender(room, given)
	sent, began := 0, time.Now()
	for time.Since(began).Seconds() < given.Seconds {
		due := int(given.PerSecond * time.Since(began).Seconds())
		for ; sent < due; sent++ {
			send(sent)
		}
		time.Sleep(tick)
	}
	fmt.Printf("{\"sent\": %d}\n", sent)
	room.Disconnect()
}

// joined joins the order's room.
func joined(given order) *lksdk.Room {
	room, err := joinedAs(given.URL, given.Token)
	must(err)
	return room
}

func joinedAs(url, token string) (*lksdk.Room, error) {
	return lksdk.ConnectToRoomWithToken(
		url, token, &lksdk.RoomCallback{}, lksdk.WithAutoSubscribe(false), lksdk.WithDisableRegionDiscovery(),
	)
}

// comesAndGoes is one of a crowd: joins, and leaves as soon as it has joined, as often as it is told.
func comesAndGoes(url, token string, turns <-chan int) {
	for range turns {
		if room, err := joinedAs(url, token); err == nil {
			room.Disconnect()
		}
	}
}

// published publishes a track of sound.
func published(self *lksdk.LocalParticipant) *lksdk.LocalTrackPublication {
	track, err := lksdk.NewLocalSampleTrack(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus})
	must(err)
	publication, err := self.PublishTrack(track, &lksdk.TrackPublicationOptions{Name: "sound", Source: livekit.TrackSource_MICROPHONE})
	must(err)
	return publication
}

// sender returns the function that sends message number n of the order's kind.
func sender(room *lksdk.Room, given order) func(n int) {
	self := room.LocalParticipant
	filler := strings.Repeat("x", given.Bytes)
	reliable := lksdk.WithDataPublishReliable(true)
	header := func() *livekit.DataStream_Header {
		return &livekit.DataStream_Header{
			StreamId: guid.New("ST_"), Topic: "lk.chat", MimeType: "text/plain", Timestamp: time.Now().UnixMilli(),
			ContentHeader: &livekit.DataStream_Header_TextHeader{TextHeader: &livekit.DataStream_TextHeader{}},
		}
	}
	to := lksdk.WithDataPublishDestination([]string{given.To})
	publish := func(value lksdk.DataPacket, options ...lksdk.DataPublishOption) {
		_ = self.PublishDataPacket(value, append(options, to)...)
	}
	opening := func(header *livekit.DataStream_Header) {
		publish(packet{&livekit.DataPacket{Value: &livekit.DataPacket_StreamHeader{StreamHeader: header}}}, reliable)
	}
	chunk := func(id string, n int) {
		value := &livekit.DataStream_Chunk{StreamId: id, ChunkIndex: uint64(n), Content: []byte(filler)}
		publish(packet{&livekit.DataPacket{Value: &livekit.DataPacket_StreamChunk{StreamChunk: value}}}, reliable)
	}
	switch given.Kind {
	case "odd": // packets that no client sends, always the same
		made := odd{rand.New(rand.NewSource(1))}
		return func(int) {
			publish(made.packet(), lksdk.WithDataPublishReliable(made.isSo()))
		}
	case "crowd": // many identities, which come and go
		turns := make(chan int)
		for _, token := range given.Crowd {
			go comesAndGoes(given.URL, token, turns)
		}
		return func(n int) { turns <- n }
	case "tracks": // a track that is published anew, and one that is muted all the time
		muted, sound := published(self), published(self)
		return func(n int) {
			muted.SetMuted(n%2 == 0)
			if n%50 == 0 {
				must(self.UnpublishTrack(sound.SID()))
				sound = published(self)
			}
		}
	case "calls": // calls of a method that the agent does not have
		return func(int) {
			call := &livekit.RpcRequest{Id: guid.New("RPC_"), Method: "x", Payload: filler, ResponseTimeoutMs: 9000, Version: 1}
			publish(packet{&livekit.DataPacket{Value: &livekit.DataPacket_RpcRequest{RpcRequest: call}}}, reliable)
		}
	case "packets": // data packets of no topic, which nobody asked for
		return func(int) { publish(lksdk.UserData([]byte(filler))) }
	case "old-chat": // chat messages of older clients
		topic := lksdk.WithDataPublishTopic("lk-chat-topic")
		return func(int) { publish(lksdk.UserData([]byte("{}")), topic) }
	case "texts": // whole chat messages
		return func(int) {
			opened := header()
			opening(opened)
			chunk(opened.StreamId, 0)
			trailer := &livekit.DataStream_Trailer{StreamId: opened.StreamId}
			publish(packet{&livekit.DataPacket{Value: &livekit.DataPacket_StreamTrailer{StreamTrailer: trailer}}}, reliable)
		}
	case "packed": // chat messages and files of some bytes, which unpack to many more
		var packed bytes.Buffer
		packer, _ := flate.NewWriter(&packed, flate.BestCompression)
		_, err := packer.Write([]byte(filler))
		must(err)
		must(packer.Close())
		return func(n int) {
			opened := header()
			if n%2 == 0 {
				opened.ContentHeader = &livekit.DataStream_Header_ByteHeader{ByteHeader: &livekit.DataStream_ByteHeader{Name: "x"}}
			}
			opened.InlineContent = packed.Bytes()
			opened.Compression = livekit.DataStream_DEFLATE_RAW
			opening(opened)
		}
	case "open-texts": // chat messages that never end
		return func(int) { opening(header()) }
	case "one-long-text": // one chat message of many parts
		opened := header()
		opening(opened)
		return func(n int) { chunk(opened.StreamId, n) }
	case "files": // files, which nobody asked for: the first has parts, and there are parts of no file
		first := ""
		return func(n int) {
			opened := header()
			opened.ContentHeader = &livekit.DataStream_Header_ByteHeader{ByteHeader: &livekit.DataStream_ByteHeader{Name: "x"}}
			opening(opened)
			if n == 0 {
				first = opened.StreamId
			}
			chunk(first, n)
			chunk(guid.New("ST_"), 0)
		}
	case "attributes":
		return func(n int) {
			self.SetAttributes(map[string]string{"n": fmt.Sprint(n), "filler": filler})
		}
	case "metadata":
		return func(n int) { self.SetMetadata(fmt.Sprint(n, filler)) }
	case "names":
		return func(n int) { self.SetName(fmt.Sprint(n, filler)) }
	case "joins": // the same participant again and again; each join ends the one before
		return func(int) {
			before := room
			room = joined(given)
			before.Disconnect()
		}
	}
	panic("unknown kind " + given.Kind)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
