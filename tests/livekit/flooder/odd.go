package main

import (
	"math"
	"math/rand"
	"strings"

	"github.com/livekit/protocol/livekit"
)

var (
	oddTexts = []string{
		"", "x", "lk.chat", "lk.rpc_request", "lk.rpc_response", "lk.transcription", "lk-chat-topic",
		"clara-voice-agent", "mallory", "\x00", "-1", "99999999999999999999", strings.Repeat("\u202e", 500),
	}
	oddNumbers = []int64{
		0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt32, math.MinInt32, 253402300800000,
	}
	oddAttributes = []string{
		"lk.rpc_request_id", "lk.rpc_request_method", "lk.rpc_request_response_timeout_ms",
		"lk.rpc_request_version", "lk.segment_id", "lk.transcribed_track_id", "lk.transcription_final",
	}
	oddStreams = []string{"", "ST_a", "ST_b", "ST_c"}
)

// odd makes packets of all kinds, with values that no client of LiveKit sends.
type odd struct{ *rand.Rand }

func (o odd) text() string   { return oddTexts[o.Intn(len(oddTexts))] }
func (o odd) number() int64  { return oddNumbers[o.Intn(len(oddNumbers))] }
func (o odd) stream() string { return oddStreams[o.Intn(len(oddStreams))] }
func (o odd) isSo() bool     { return o.Intn(2) == 0 }

func (o odd) data() []byte {
	data := make([]byte, o.Intn(3000))
	o.Read(data)
	return data
}

func (o odd) attributes() map[string]string {
	found := map[string]string{}
	for _, name := range oddAttributes {
		if o.isSo() {
			found[name] = o.text()
		}
	}
	return found
}

func (o odd) packet() packet {
	value := &livekit.DataPacket{}
	switch o.Intn(9) {
	case 0, 1:
		value.Value = &livekit.DataPacket_StreamHeader{StreamHeader: o.header()}
	case 2:
		index := uint64(o.Intn(3)) + uint64(o.number())*uint64(o.Intn(2))
		chunk := &livekit.DataStream_Chunk{StreamId: o.stream(), ChunkIndex: index, Content: o.data(), Version: int32(o.number())}
		value.Value = &livekit.DataPacket_StreamChunk{StreamChunk: chunk}
	case 3:
		trailer := &livekit.DataStream_Trailer{StreamId: o.stream(), Reason: o.text(), Attributes: o.attributes()}
		value.Value = &livekit.DataPacket_StreamTrailer{StreamTrailer: trailer}
	case 4:
		topic, id := o.text(), o.text()
		user := &livekit.UserPacket{Payload: o.data(), Topic: &topic, Id: &id, ParticipantIdentity: o.text()}
		value.Value = &livekit.DataPacket_User{User: user}
	case 5:
		edited := o.number()
		message := &livekit.ChatMessage{Id: o.text(), Timestamp: o.number(), EditTimestamp: &edited, Message: o.text()}
		value.Value = &livekit.DataPacket_ChatMessage{ChatMessage: message}
	case 6:
		call := &livekit.RpcRequest{
			Id: o.text(), Method: o.text(), Payload: o.text(), ResponseTimeoutMs: uint32(o.number()),
			Version: uint32(o.Intn(4)), CompressedPayload: o.data(),
		}
		value.Value = &livekit.DataPacket_RpcRequest{RpcRequest: call}
	case 7:
		answer := &livekit.RpcResponse{RequestId: o.text(), Value: &livekit.RpcResponse_Payload{Payload: o.text()}}
		value.Value = &livekit.DataPacket_RpcResponse{RpcResponse: answer}
	case 8:
		secret := &livekit.EncryptedPacket{
			EncryptionType: livekit.Encryption_Type(o.number()), Iv: o.data(), KeyIndex: uint32(o.number()), EncryptedValue: o.data(),
		}
		value.Value = &livekit.DataPacket_EncryptedPacket{EncryptedPacket: secret}
	}
	return packet{value}
}

func (o odd) header() *livekit.DataStream_Header {
	header := &livekit.DataStream_Header{
		StreamId: o.stream(), Timestamp: o.number(), Topic: o.text(), MimeType: o.text(),
		Attributes: o.attributes(), Compression: livekit.DataStream_CompressionType(o.Intn(3)),
	}
	if o.isSo() {
		length := uint64(o.number())
		header.TotalLength = &length
	}
	if o.isSo() {
		header.EncryptionType = livekit.Encryption_Type(o.number())
	}
	if o.isSo() {
		header.InlineContent = o.data()
	}
	switch o.Intn(3) {
	case 0:
		header.ContentHeader = &livekit.DataStream_Header_ByteHeader{ByteHeader: &livekit.DataStream_ByteHeader{Name: o.text()}}
	case 1:
		text := &livekit.DataStream_TextHeader{
			OperationType: livekit.DataStream_OperationType(o.number()), Version: int32(o.number()), AttachedStreamIds: []string{o.text()},
		}
		header.ContentHeader = &livekit.DataStream_Header_TextHeader{TextHeader: text}
	}
	return header
}
