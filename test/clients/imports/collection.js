// What connect-mongo needs of a collection, without a server: documents go through BSON,
// as they would over the wire.
import { BSON } from 'mongodb'

export class Collection {
  documents = new Map()

  async createIndex() {}

  async updateOne({ _id }, { $set = {}, $setOnInsert = {} }, { upsert } = {}) {
    const found = this.documents.get(_id)
    if (!found && !upsert) return { matchedCount: 0, upsertedCount: 0 }
    const document = { ...(found ?? $setOnInsert), ...$set }
    this.documents.set(_id, BSON.deserialize(BSON.serialize(document)))
    return found ? { matchedCount: 1, upsertedCount: 0 } : { matchedCount: 0, upsertedCount: 1 }
  }

  async findOne({ _id }) {
    const document = this.documents.get(_id)
    return document && BSON.deserialize(BSON.serialize(document))
  }
}
