import Testing

@testable import Gateway

@Suite struct AdmissionTests {
    @Test func `requests and their bytes are bounded, and a ticket that is given back makes room`() throws {
        let admission = Admission(requestLimit: 2, byteLimit: 10)
        let first = try admission.enter(bytes: 4)
        #expect(throws: APIError.self) { try admission.enter(bytes: 7) }
        let second = try admission.enter(bytes: 6)
        let error = #expect(throws: APIError.self) { try admission.enter(bytes: 0) }
        #expect(error?.status == .serviceUnavailable && error?.retryAfter == 1)
        #expect(admission.requests == 2 && admission.refused == 2)
        admission.leave(first)
        #expect(admission.requests == 1)
        _ = try admission.enter(bytes: 4)
        admission.leave(second)
        #expect(admission.requests == 1)
    }
}
