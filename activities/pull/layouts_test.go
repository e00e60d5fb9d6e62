package pull

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"tnaml/experiments/data/archive/archivetest"
)

// The data sets' files in small, in the layout of the real ones: the header
// lines and the paths are theirs, the examples are made up.

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type entry struct{ name, text string }

// pairs are names and contents, as archivetest takes them.
func pairs(entries []entry) (out []string) {
	for _, e := range entries {
		out = append(out, e.name, e.text)
	}
	return out
}

func zipped(entries ...entry) []byte { return archivetest.Zip(pairs(entries)...) }
func tarred(entries ...entry) []byte { return archivetest.Gzip(archivetest.Tar(pairs(entries)...)) }

// perLabel is the number of examples that a made-up file has of each label.
const perLabel = 12

func sentence(label string, i int) string { return fmt.Sprintf("text %d, of the label %q", i, label) }

// table is a CSV file with this header line, whose rows have the labels in turn.
func table(header, textColumn, labelColumn string, labels ...string) string {
	columns := must(csv.NewReader(strings.NewReader(header)).Read())
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{columns}
	for i := range perLabel * len(labels) {
		row := make([]string, len(columns))
		for k, c := range columns {
			switch c {
			case textColumn:
				row[k] = sentence(labels[i%len(labels)], i)
			case labelColumn:
				row[k] = labels[i%len(labels)]
			case "Date received":
				row[k] = "2016-05-04"
			default:
				row[k] = fmt.Sprint("other ", k)
			}
		}
		rows = append(rows, row)
	}
	if err := w.WriteAll(rows); err != nil {
		panic(err)
	}
	return b.String()
}

// lines are lines of this form, which has a label and a text.
func lines(form string, labels ...string) string {
	var b strings.Builder
	for i := range perLabel * len(labels) {
		l := labels[i%len(labels)]
		fmt.Fprintf(&b, form, l, sentence(l, i))
	}
	return b.String()
}

// files are files in folders, a form of folder and number a label.
func files(form string, labels ...string) []entry {
	var out []entry
	for i := range perLabel * len(labels) {
		l := labels[i%len(labels)]
		out = append(out, entry{fmt.Sprintf(form, l, i), sentence(l, i) + form})
	}
	return out
}

func idx(data []byte, shape ...uint32) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, d := range shape {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return archivetest.Gzip(append(b, data...))
}

// digits are n images of 2 × 2 in IDX, and their labels 0, 1, 0, 1 …
func digits(n int) (images, labels []byte) {
	var p, l []byte
	for i := range n {
		p = append(p, byte(i), byte(n), 0, 255)
		l = append(l, byte(i%2))
	}
	return idx(p, uint32(n), 2, 2), idx(l, uint32(n))
}

func cifar(n, from int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte(byte(i % 10))
		b.WriteString(strings.Repeat(string([]byte{byte(i), byte(from), 7}), 1024))
	}
	return b.String()
}

func photo(i int) string {
	m := image.NewRGBA(image.Rect(0, 0, 20+i, 30))
	for y := range 30 {
		for x := range 20 + i {
			m.Set(x, y, color.RGBA{byte(x * i), byte(y), 9, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.String()
}

const (
	crowd   = "_unit_id,_golden,_unit_state,_trusted_judgments,_last_judgment_at,"
	airline = crowd + "airline_sentiment,airline_sentiment:confidence,negativereason,negativereason:confidence,airline," +
		"airline_sentiment_gold,name,negativereason_gold,retweet_count,text,tweet_coord,tweet_created,tweet_id,tweet_location,user_timezone"
	complaint = "Date received,Product,Sub-product,Issue,Sub-issue,Consumer complaint narrative,Company public response,Company,State,ZIP " +
		"code,Tags,Consumer consent provided?,Submitted via,Date sent to company,Company response to consumer,Timely response?,Consumer " +
		"disputed?,Complaint ID"
	economy = crowd + "positivity,positivity:confidence,relevance,relevance:confidence,articleid,date,headline,positivity_gold," +
		"relevance_gold,text"
	political = crowd + "audience,audience:confidence,bias,bias:confidence,message,message:confidence,orig__golden,audience_gold," +
		"bias_gold,bioid,embed,id,label,message_gold,source,text"
	plutchik  = crowd + "emotion,emotion_confidence,emotion_gold,id,idiom_id,sentence"
	messaging = crowd + "category,category:confidence,category_gold,id,screenname,text"
	disaster  = crowd + "choose_one,choose_one:confidence,choose_one_gold,keyword,location,text,tweetid,userid"
	q2        = "q2_which_of_the_options_below_is_true_about_the_opinion_in_the_tweet"
	progress  = crowd + "q1,q1:confidence," + q2 + "," + q2 +
		":confidence,orig__golden,internal_id,orig_q1,q1_gold,orig_q2,target,tweet,tweet_id"
)

// layouts returns the files by their names.
func layouts() map[string][]byte {
	trainImages, trainLabels := digits(40)
	testImages, testLabels := digits(12)
	macRoman := func(s string) []byte { return must(charmap.Macintosh.NewEncoder().Bytes([]byte(s))) }
	trees := func(name string) string {
		var b strings.Builder
		for i := range 30 {
			fmt.Fprintf(&b, "(%d (2 (2 The) (2 %s)) (3 (2 -LRB-) (4 %d)))\n", i%5, name, i)
		}
		return b.String()
	}
	brown := []entry{{"brown/CONTENTS", "contents"}, {"brown/README", "readme"}}
	genres := ""
	for i := range 24 {
		id, genre := fmt.Sprintf("c%c%02d", 'a'+i%2, i), []string{"news", "lore"}[i%2]
		brown = append(brown, entry{"brown/" + id, fmt.Sprintf("\n\n\tThe/at  %d/cd words/nns of/in %s/nn ./.\n\n", i, id)})
		genres += id + " " + genre + "\n"
	}
	brown = append(brown, entry{"brown/cats.txt", genres})
	var reviews []entry
	for _, product := range []string{"Apex AD2600 Progressive-scan DVD player", "Canon G3"} {
		var b strings.Builder
		b.WriteString("*****\n* Annotated by: Minqing Hu and Bing Liu, 2004.\n*****\n")
		for i := range 12 {
			fmt.Fprintf(&b, "[t]title %d\nplayer[+2], remote[-1][u]##%s is fine %d .\nplay[-2]##it broke %d %s .\n##i bought it %d .\n", i, product,
				i, i, product, i)
		}
		reviews = append(reviews, entry{"customer review data/" + product + ".txt", b.String()})
	}
	reviews = append(reviews, entry{"customer review data/Readme.txt",
		"Notations: [t]: the title\nxxxx[+|-n]: opinion\n## : start of each sentence\n"})
	nltk := []entry{{"product_reviews_1/README.txt", reviews[2].text},
		{"product_reviews_1/Apex_AD2600_Progressive_scan_DVD_player.txt", reviews[0].text}, {"product_reviews_1/Canon_G3.txt", reviews[1].text}}
	var cine []entry
	for i := range 60 {
		cine = append(cine, entry{fmt.Sprintf("corpusCriticasCine/%d.xml", i+2),
			string(must(charmap.Windows1252.NewEncoder().Bytes(fmt.Appendf(nil,
				"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<review author=\"A\" title=\"T\" rank=\"%d\" maxRank=\"5\" "+
					"source=\"muchocine\">\n<summary>Acción</summary>\n<body>La película nº %d & más</body></review>", i%5+1, i))))})
	}
	news := func(split string) []entry {
		return files("20news-bydate-"+split+"/%s/%05d", "alt.atheism", "rec.autos", "sci.space")
	}
	var imdb []entry
	for _, split := range []string{"test", "train"} {
		imdb = append(imdb, files("aclImdb/"+split+"/%s/%d_7.txt", "neg", "pos")...)
		imdb = append(imdb, entry{"aclImdb/" + split + "/urls_neg.txt", "http://"}, entry{"aclImdb/" + split + "/labeledBow.feat", "1 0:3"})
	}
	imdb = append(imdb, files("aclImdb/train/%s/%d_0.txt", "unsup")...)
	imdb = append(imdb, entry{"aclImdb/README", "readme"}, entry{"aclImdb/imdb.vocab", "the"})
	var flowers []entry
	for i, c := range []string{"daisy", "dandelion", "roses", "sunflowers", "tulips"} {
		for k := range 5 {
			flowers = append(flowers, entry{fmt.Sprintf("flower_photos/%s/%d_n.jpg", c, 10*i+k), photo(5*i + k)})
		}
	}
	flowers = append(flowers, entry{"flower_photos/LICENSE.txt",
		"All images in this archive are licensed under the Creative Commons By-Attribution License"})
	var binaries []entry
	for i := range 5 {
		binaries = append(binaries, entry{fmt.Sprintf("cifar-10-batches-bin/data_batch_%d.bin", i+1), cifar(20, i)})
	}
	binaries = append(binaries, entry{"cifar-10-batches-bin/test_batch.bin", cifar(20, 9)},
		entry{"cifar-10-batches-bin/readme.html", "<html>"},
		entry{"cifar-10-batches-bin/batches.meta.txt", "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"})
	tweets := lines("%.0s%s\n", "0", "1", "2")
	moods := strings.Repeat("0\n1\n2\n", perLabel)
	return map[string][]byte{
		"Airline-Sentiment-2-w-AA.csv": macRoman(strings.ReplaceAll(table(airline, "text", "airline_sentiment", "negative", "neutral",
			"positive"), "of the", "donâ€™t the")),
		"complaints.csv.zip": zipped(entry{"complaints.csv",
			table(complaint, "Consumer complaint narrative", "Issue", "Managing an account", "Fraud or scam")}),
		"complaints_sample.csv": []byte(table(complaint, "Consumer complaint narrative", "Product", "Mortgage", "Debt collection")),
		"Consumer_Complaints.csv": []byte(table(strings.NewReplacer(" ", "_", "Sub-p", "Sub_p").Replace(complaint),
			"Consumer_complaint_narrative", "Product", "Student loan")),

		"Full-Economic-News-DFE-839861.csv": []byte(strings.ReplaceAll(table(economy, "text", "relevance", "yes", "no", "not sure"), "of the",
			"\x93of the")),
		"Full-Economic-News-clean.csv": []byte(table("_unit_id,positivity,text", "text", "positivity", "2", "4", "5", "6", "9")),
		"news-aggregator.zip": zipped(entry{"2pageSessions.csv", "x"}, entry{"__MACOSX/._newsCorpora.csv", "x"},
			entry{"newsCorpora.csv", lines("1\t%.0[1]s\"%[2]s\thttp://u\tReuters\t%[1]s\tdd\twww.u\t1394470370698\n", "b", "t", "e", "m")},
			entry{"readme.txt", "SUMMARY"}),
		"nlp100-train.txt":           []byte(lines("%s\t%s\n", "b", "t", "e", "m")),
		"nlp100-valid.txt":           []byte(lines("%s\tvalid %s\n", "b", "t", "e", "m")),
		"nlp100-test.txt":            []byte(lines("%s\ttest %s\n", "b", "t", "e", "m")),
		"Political-media-DFE.csv":    macRoman(table(political, "text", "message", "attack", "policy", "support")),
		"political_social_media.csv": []byte(table("bias,text", "text", "bias", "partisan", "neutral")),

		"primary-plutchik-wheel-DFE.csv": []byte(table(plutchik, "sentence", "emotion", "Neutral", "Joy", "Awe")),
		"trainDevTestTrees_PTB.zip": zipped(entry{"trees/dev.txt", trees("dev")}, entry{"trees/test.txt", trees("test")},
			entry{"trees/train.txt", trees("train")}),
		"stsa.binary.train":              []byte(lines("%s %s\n", "0", "1")),
		"stsa.binary.dev":                []byte(lines("%s dev %s\n", "0", "1")),
		"stsa.binary.test":               []byte(lines("%s test %s\n", "0", "1")),
		"us-economic-newspaper.csv":      []byte(table("_unit_id,positivity,text", "text", "positivity", "", "3", "7")),
		"us-economic-newspaper-full.csv": []byte(table(economy, "text", "relevance", "yes", "no", "not sure")),

		"20news-bydate.tar.gz": tarred(append(news("train"), news("test")...)...),
		"brown.zip":            zipped(brown...),
		"sms-spam-collection.zip": zipped(entry{"SMSSpamCollection", lines("%s\t%s\n", "ham", "spam")},
			entry{"readme", "SMS Spam Collection v.1"}),
		"SMSSpamCollection": []byte("\ufeff" + lines("%s\t%s\n", "ham", "spam")),
		"corporate_messaging.csv": macRoman(strings.ReplaceAll(table(messaging, "text", "category", "Information", "Action", "Dialogue",
			"Exclude"), "\n", "\r")),

		"socialmedia-disaster-tweets-DFE.csv": macRoman(table(disaster, "text", "choose_one", "Relevant", "Not Relevant", "Can't Decide")),
		"text_emotion.csv": []byte(table("tweet_id,sentiment,author,content", "content", "sentiment", "empty", "worry",
			"love")),
		"tweet_global_warming.csv": []byte(table("tweet,existence,existence.confidence", "tweet", "existence", "Yes", "No")),
		"1377884570_tweet_global_warming.csv": []byte(table("tweet,existence,existence.confidence", "tweet", "existence", "Yes", "No", "Y", "N",
			"N/A", "")),
		"progressive-tweet-sentiment.csv": []byte(table(progress, "tweet", q2,
			"1.  The tweet explicitly expresses opinion about the target, a part of the target, or an aspect of the target.",
			"2. The tweet does NOT expresses opinion about the target but it HAS opinion about something or someone other than the target.",
			"3.  The tweet is not explicitly expressing opinion. (For example, the tweet is simply giving information.)")),
		"custrev.all":            []byte(lines("%s %s\n", "0", "1")),
		"CustomerReviewData.zip": zipped(reviews...),
		"product_reviews_1.zip":  zipped(nltk...),
		"mpqa.all":               []byte(lines("%s %s\n", "0", "1")),
		"corpusCine.zip":         zipped(cine...),

		"xlmt-spanish-train_text.txt": []byte(tweets), "xlmt-spanish-train_labels.txt": []byte(moods),
		"xlmt-spanish-val_text.txt": []byte(strings.ReplaceAll(tweets, "text", "val")), "xlmt-spanish-val_labels.txt": []byte(moods),
		"xlmt-spanish-test_text.txt": []byte(strings.ReplaceAll(tweets, "text", "test")), "xlmt-spanish-test_labels.txt": []byte(moods),

		"aclImdb_v1.tar.gz": tarred(imdb...),
		"rotten_imdb.tar.gz": tarred(entry{"subjdata.README.1.0", "readme"}, entry{"plot.tok.gt9.5000", lines("%.0[1]s%[2]s \n", "plot")},
			entry{"quote.tok.gt9.5000", lines("%.0[1]scaf\xe9 %[2]s \n", "quote")}),
		"subj.all": []byte(lines("%s %s\n", "0", "1")),

		"train-images-idx3-ubyte.gz": trainImages, "train-labels-idx1-ubyte.gz": trainLabels, "t10k-images-idx3-ubyte.gz": testImages,
		"t10k-labels-idx1-ubyte.gz": testLabels,
		"cifar-10-binary.tar.gz":    tarred(binaries...),
		"flower_photos.tgz":         tarred(flowers...),
	}
}
