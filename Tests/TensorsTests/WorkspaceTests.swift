import Tensors
import Testing

@Suite struct WorkspaceTests {
    @Test func `what nobody holds serves again, what somebody holds never`() throws {
        let workspace = Workspace()
        var first: Tensor? = try workspace.tensor(rows: 3, width: 100)
        let place = try #require(first?.storage.bytes)
        let second = try workspace.tensor(rows: 3, width: 100)
        #expect(second.storage.bytes != place)
        let view = first?.rows(1..<2)
        first = nil
        #expect(try workspace.tensor(rows: 3, width: 100).storage.bytes != place, "a view holds it")
        withExtendedLifetime(view) {}
        let rows = [try workspace.tensor(rows: 3, width: 100), try workspace.tensor(rows: 3, width: 100)]
        #expect(Set(rows.map(\.storage.bytes) + [second.storage.bytes]).count == 3)
    }

    @Test func `memory of another extent serves where little is wasted`() throws {
        let workspace = Workspace()
        let place = try workspace.tensor(rows: 8, width: 1000).storage.bytes
        let fewer = try workspace.tensor(rows: 7, width: 1000)
        #expect(fewer.storage.bytes == place)
        #expect(fewer.shape == [7, 1000] && fewer.count == 7000)
        #expect(try workspace.tensor(rows: 1, width: 1000).storage.bytes != place)
    }

    @Test func `passes of the same extents meet the same memory`() throws {
        let device = Device(threadCount: 1)
        let weight = try PackedMatrix(Tensor([Float](repeating: 1, count: 64 * 32), shape: [64, 32]), on: device)
        func pass() throws -> [UnsafeMutableRawPointer] {
            let x = try device.makeRows(4, width: 32)
            for index in 0..<x.count { x[index] = Float(index) }
            let y = try device.makeRows(4, width: 64)
            try device.matmul(x, weight, into: y)
            return [x.storage.bytes, y.storage.bytes]
        }
        let first = Set(try pass())
        for _ in 0..<10 { #expect(Set(try pass()) == first) }
    }

    @Test func `memory beyond the limit is not kept`() throws {
        let workspace = Workspace()
        for width in stride(from: 1 << 20, through: 12 << 20, by: 1 << 20) {
            _ = try workspace.tensor(rows: 1, width: width)
        }
        #expect(workspace.byteCount <= 64 << 20)
        let large = try workspace.tensor(rows: 1, width: 20 << 20)
        #expect(large.count == 20 << 20)
        #expect(workspace.byteCount <= 64 << 20)
    }
}
