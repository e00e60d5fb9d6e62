package elastic

import (
	"context"
	"errors"
	"time"
)

// These are many changes at once, of which there are none.
type (
	BulkBeforeFunc  func(executionId int64, requests []BulkableRequest)
	BulkAfterFunc   func(executionId int64, requests []BulkableRequest, response *BulkResponse, err error)
	BulkProcessor   struct{}
	BulkService     struct{}
	BulkRequest     struct{}
	BulkableRequest interface {
		Source() ([]string, error)
		String() string
	}
	BulkResponse struct {
		Took  int
		Items []map[string]*BulkResponseItem
	}
	BulkResponseItem struct {
		Id     string
		Status int
		Error  *ErrorDetails
	}
	BulkProcessorService struct{}
)

// NewBulkIndexRequest is empty.
func NewBulkIndexRequest() *BulkRequest { return &BulkRequest{} }

// NewBulkDeleteRequest is empty.
func NewBulkDeleteRequest() *BulkRequest { return &BulkRequest{} }

// Index keeps nothing, and neither do the following.
func (r *BulkRequest) Index(string) *BulkRequest { return r }

// Id keeps nothing.
func (r *BulkRequest) Id(string) *BulkRequest { return r }

// Version keeps nothing.
func (r *BulkRequest) Version(int64) *BulkRequest { return r }

// VersionType keeps nothing.
func (r *BulkRequest) VersionType(string) *BulkRequest { return r }

// Doc keeps nothing.
func (r *BulkRequest) Doc(any) *BulkRequest { return r }

// Source says that it cannot.
func (*BulkRequest) Source() ([]string, error) { return nil, errors.ErrUnsupported }

func (*BulkRequest) String() string { return "" }

// Bulk leads nowhere.
func (*Client) Bulk() *BulkService { return &BulkService{} }

// Add keeps nothing.
func (s *BulkService) Add(...BulkableRequest) *BulkService { return s }

// NumberOfActions is always 0.
func (*BulkService) NumberOfActions() int { return 0 }

// Do says that it cannot.
func (*BulkService) Do(context.Context) (*BulkResponse, error) { return nil, errors.ErrUnsupported }

// BulkProcessor leads nowhere.
func (*Client) BulkProcessor() *BulkProcessorService { return &BulkProcessorService{} }

// Name keeps nothing, and neither do the following.
func (s *BulkProcessorService) Name(string) *BulkProcessorService { return s }

// Workers keeps nothing.
func (s *BulkProcessorService) Workers(int) *BulkProcessorService { return s }

// BulkActions keeps nothing.
func (s *BulkProcessorService) BulkActions(int) *BulkProcessorService { return s }

// BulkSize keeps nothing.
func (s *BulkProcessorService) BulkSize(int) *BulkProcessorService { return s }

// FlushInterval keeps nothing.
func (s *BulkProcessorService) FlushInterval(time.Duration) *BulkProcessorService { return s }

// Before keeps nothing.
func (s *BulkProcessorService) Before(BulkBeforeFunc) *BulkProcessorService { return s }

// After keeps nothing.
func (s *BulkProcessorService) After(BulkAfterFunc) *BulkProcessorService { return s }

// RetryItemStatusCodes keeps nothing.
func (s *BulkProcessorService) RetryItemStatusCodes(...int) *BulkProcessorService { return s }

// Do says that it cannot.
func (*BulkProcessorService) Do(context.Context) (*BulkProcessor, error) {
	return nil, errors.ErrUnsupported
}

// Add keeps nothing.
func (*BulkProcessor) Add(BulkableRequest) {}

// Flush says that it cannot.
func (*BulkProcessor) Flush() error { return errors.ErrUnsupported }

// Stop does nothing.
func (*BulkProcessor) Stop() error { return nil }
