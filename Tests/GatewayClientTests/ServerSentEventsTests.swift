import Foundation
import GatewayClient
import Testing

@Suite struct ServerSentEventsTests {
    private static let stream = Data(
        ": ping\n\ndata: {\"a\":1}\n\ndata:no space\r\n\r\nevent: x\nid: 4\ndata: two\ndata: 行\n\r\r\ndata: cut".utf8)

    @Test func `events come out the same whatever the chunks`() {
        let expected = ["{\"a\":1}", "no space", "two\n行"].map { Data($0.utf8) }
        for size in [1, 2, 3, 7, 10_000] {
            var events = ServerSentEvents(), found: [Data] = []
            var rest = Self.stream[...]
            while !rest.isEmpty {
                found += events.append(Data(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            #expect(found == expected, "chunks of \(size)")
        }
    }

    @Test(arguments: ["", "localhost:8080", "ftp://x", "http://", "zmq://a:1"])
    func `an address that is no gateway's is refused`(address: String) {
        #expect(throws: GatewayClientError.self) { try GatewayClient(address: address) }
    }
}
